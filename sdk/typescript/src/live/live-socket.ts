import { io, type Socket } from 'socket.io-client';
import { isProblem, networkError, type ParleyError, problemError } from '../error.js';
import type { ClientCommands, Problem } from '../rest/types.gen.js';
import { type LiveEvent, liveEvent } from './events.js';

const CONNECT_TIMEOUT_MS = 10_000;
const ACK_TIMEOUT_MS = 15_000;

export type Command = keyof ClientCommands;
export type Body<Name extends Command> = ClientCommands[Name]['body'];
export type Data<Name extends Command> = ClientCommands[Name]['data'];

type Ack<Name extends Command> = { ok: true; data: Data<Name> } | { ok: false; error: Problem };

export type Transports = readonly ('websocket' | 'polling')[];

/** One connection of the namespace /chat, from its handshake to its end. It does not reconnect. */
export class LiveSocket {
  /** Resolves when the connection has ended. */
  readonly closed: Promise<void>;
  private readonly io: Socket;
  private readonly waiting = new Set<(error: ParleyError) => void>();
  private end!: () => void;

  constructor(baseUrl: string, transports: Transports, token: string, onEvent: (event: LiveEvent) => void) {
    // React Native's URL lacks `origin`.
    const [, origin, prefix] = /^(\w+:\/\/[^/]+)(.*)$/.exec(baseUrl) ?? ['', baseUrl, ''];
    this.io = io(`${origin}/chat`, {
      path: `${prefix}/socket.io/`,
      auth: { token },
      transports: [...transports],
      // Tries the second transport at once where the first one is refused.
      tryAllTransports: true,
      timeout: CONNECT_TIMEOUT_MS,
      reconnection: false,
      forceNew: true,
      autoConnect: false,
    });
    this.io.onAny((type: string, body: unknown) => {
      const event = liveEvent(type, body);
      if (event) onEvent(event);
    });
    this.closed = new Promise((resolve) => (this.end = resolve));
    this.io.once('disconnect', () => this.close());
  }

  /** Resolves once the server has accepted the token; throws its problem, or a network error. */
  async connect(): Promise<void> {
    const timer = setTimeout(() => this.close(), CONNECT_TIMEOUT_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.waiting.add(reject);
        this.io.once('connect', resolve).once('connect_error', (error) => reject(refusal(error)));
        this.io.connect();
        // While it opens, Socket.IO's manager does not notice that the engine has closed. After a refusal it closes
        // the engine first.
        this.io.io.engine.once('close', () => void Promise.resolve().then(() => this.close()));
      });
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Sends a command.
   * @param onData called with the data before any later event is handled, which `await` does not promise
   */
  request<Name extends Command>(
    name: Name,
    body: Body<Name>,
    onData?: (data: Data<Name>) => void,
    timeoutMs = ACK_TIMEOUT_MS,
  ): Promise<Data<Name>> {
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      this.io.timeout(timeoutMs).emit(name, body, (error: Error | null, ack: Ack<Name>) => {
        this.waiting.delete(reject);
        if (error) return reject(this.unanswered(error));
        if (!ack.ok) return reject(problemError(ack.error));
        onData?.(ack.data);
        resolve(ack.data);
      });
    });
  }

  /** Socket.IO itself is silent about the end of a connection that was not established. */
  close(): void {
    this.io.disconnect();
    this.end();
    this.waiting.forEach((fail) => fail(networkError('The connection was closed.')));
    this.waiting.clear();
  }

  /** A connection on which a command is not answered in time is taken for dead. */
  private unanswered(error: Error): ParleyError {
    this.close();
    return networkError(error);
  }
}

function refusal(error: Error & { data?: unknown }): ParleyError {
  return isProblem(error.data) ? problemError(error.data) : networkError(error);
}
