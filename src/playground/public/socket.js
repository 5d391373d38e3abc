/** The live connection: Socket.IO, namespace /chat. */

import { io } from './socket.io/socket.io.esm.min.js';
import { accessToken, ProblemError, signedIn } from './api.js';

const ACK_TIMEOUT_MS = 15_000;
const RETRY_MS = 2_000;

/** The server did not answer: what was asked may or may not have happened. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection is lost.');
  }
}

export class LiveConnection {
  /** @param handlers `onEvent(name, body)`, and `onConnected()`, `onLost()`, which may be called many times */
  constructor({ onEvent, onConnected, onLost }) {
    const { pathname: path } = new URL('./socket.io/', import.meta.url); // a proxy may serve it all under a prefix
    this.socket = io('/chat', { path, auth: (give) => this.#authenticate(give), forceNew: true });
    this.socket.on('connect', onConnected);
    this.socket.on('disconnect', (reason) => {
      onLost();
      // Socket.IO comes back by itself, but not when it was the server that ended it.
      if (reason === 'io server disconnect') this.#retry();
    });
    this.socket.on('connect_error', (error) => {
      onLost();
      if (!this.socket.active) this.#retry(error.data);
    });
    this.socket.on('session.expiring', () => this.#renew());
    this.socket.onAny(onEvent);
  }

  /** Sends an event and gives what the server acknowledges it with; throws ProblemError or ConnectionLost. */
  async call(event, body) {
    if (!this.socket.connected) throw new ConnectionLost();
    const answer = await this.socket
      .timeout(ACK_TIMEOUT_MS)
      .emitWithAck(event, body)
      .catch(() => {
        throw new ConnectionLost();
      });
    if (!answer.ok) throw new ProblemError(answer.error);
    return answer.data;
  }

  close() {
    this.closed = true;
    this.socket.disconnect();
  }

  async #authenticate(give) {
    this.token = await accessToken({ instead: this.refused }).catch(() => undefined);
    give({ token: this.token });
  }

  #retry(problem) {
    this.refused = problem?.status === 401 ? this.token : undefined;
    setTimeout(() => !this.closed && signedIn() && this.socket.connect(), RETRY_MS);
  }

  /** The server gives a minute's warning before the token runs out. */
  async #renew() {
    try {
      await this.call('auth.refresh', { token: await accessToken({ validForMs: 120_000 }) });
    } catch {
      // The server will close the socket, and the next one connects with a new token.
    }
  }
}
