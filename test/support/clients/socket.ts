import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { EventLog, SeenEvent, within } from './event-log.js';
import type { Thing } from './http.js';

type Options = Partial<ManagerOptions & SocketOptions>;

export interface Ack<T> {
  ok: boolean;
  data: T;
  error?: Record<string, unknown>;
}

/** Error of a refused connection, with the problem in `data`. */
export type ConnectError = Error & { data?: Record<string, unknown> };

/** Socket.IO client of the namespace /chat. */
export class SocketClient {
  readonly io: Socket;
  /** Resolves when connected; rejects with a ConnectError when refused. */
  readonly connected: Promise<void>;
  /** Resolves, with the reason, when the connection has ended. */
  readonly disconnected: Promise<string>;
  private readonly log = new EventLog('Socket.IO');

  constructor(url: string, token: string | undefined, options: Options = {}) {
    const defaults: Options = { transports: ['websocket'], forceNew: true, reconnection: false };
    this.io = io(`${url}/chat`, { ...defaults, auth: { token }, ...options });
    this.connected = new Promise((resolve, reject) => {
      this.io.once('connect', resolve).once('connect_error', reject);
    });
    this.connected.catch((error) => this.log.end(`refused: ${error.message}`));
    this.disconnected = new Promise((resolve) => this.io.once('disconnect', resolve));
    void this.disconnected.then((reason) => this.log.end(`disconnected (${reason})`));
    this.io.onAny((type: string, body: object) => this.log.push({ ...body, type }));
  }

  get events(): SeenEvent[] {
    return this.log.events;
  }

  /** Resolves with the first matching event, past ones included. */
  until(predicate: (event: SeenEvent) => boolean, timeoutMs?: number): Promise<SeenEvent> {
    return this.log.until(predicate, timeoutMs);
  }

  /** Sends a command and resolves with its acknowledgement. */
  async emit<T = Thing>(event: string, body?: unknown, timeoutMs = 10_000): Promise<Ack<T>> {
    await this.connected;
    return within(this.io.emitWithAck(event, body), `${event} was not acknowledged`, timeoutMs);
  }

  /** Sends a message and resolves with the events up to the reply's end. */
  async chat(conversationId: number, content: string, extra: object = {}): Promise<SeenEvent[]> {
    await this.connected;
    const before = this.events.length;
    const ack = await this.emit<{ assistant_message: Thing }>('chat.send', {
      conversation_id: conversationId,
      content,
      ...extra,
    });
    if (!ack.ok) throw new Error(`chat.send failed: ${JSON.stringify(ack.error)}`);
    const { id } = ack.data.assistant_message;
    const isEnd = (event: SeenEvent) =>
      event.type === 'message.completed' && (event.message as Thing).id === id;
    const end = await this.log.until(isEnd, undefined, before);
    return this.events.slice(before, this.events.indexOf(end) + 1);
  }

  async close(): Promise<void> {
    this.io.disconnect();
    this.log.end('closed by the test');
  }
}

/** Resolves to the socket once it is connected. */
export const connected = async (socket: SocketClient) => socket.connected.then(() => socket);

/** The problem that the handshake was refused with; rejects if the socket connects. */
export const refusalOf = (socket: SocketClient) =>
  socket.connected.then(
    () => Promise.reject(new Error('The handshake was not refused.')),
    (error: ConnectError) => error.data,
  );
