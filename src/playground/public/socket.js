/** Socket.IO connection to the namespace /chat. */

import { io } from './socket.io/socket.io.esm.min.js';
import { accessToken, ProblemError, signedIn } from './api.js';

const ACK_TIMEOUT_MS = 15_000;
const RETRY_MS = 2_000;

/** The connection was lost before the acknowledgement; the command may have been executed. */
export class ConnectionLost extends Error {
  constructor() {
    super('The connection is lost.');
  }
}

export class LiveConnection {
  /** @param handlers `onEvent(name, body)`, `onConnected()` and `onLost()`, each called repeatedly */
  constructor({ onEvent, onConnected, onLost }) {
    const { pathname: path } = new URL('./socket.io/', import.meta.url); // behind a path prefix too
    this.socket = io('/chat', { path, auth: (give) => this.#authenticate(give), forceNew: true });
    this.socket.on('connect', onConnected);
    this.socket.on('disconnect', (reason) => {
      onLost();
      // Socket.IO does not reconnect after the server disconnects it.
      if (reason === 'io server disconnect') this.#retry();
    });
    this.socket.on('connect_error', (error) => {
      onLost();
      if (!this.socket.active) this.#retry(error.data);
    });
    this.socket.on('session.expiring', () => this.#renew());
    this.socket.onAny(onEvent);
  }

  /** Sends a command. @returns the acknowledged data @throws {ProblemError | ConnectionLost} */
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

  /** Renews the token, a minute before it expires. */
  async #renew() {
    try {
      await this.call('auth.refresh', { token: await accessToken({ validForMs: 120_000 }) });
    } catch {
      // The server closes the socket; the next connection uses a new token.
    }
  }
}
