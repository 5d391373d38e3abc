import WebSocket, { type ClientOptions } from 'ws';
import { EventLog, SeenEvent, within } from './event-log.js';

export interface WebSocketOptions extends ClientOptions {
  /** How the token is sent. */
  auth?: 'header' | 'subprotocol' | 'frame' | 'none';
  token?: string;
  /** The subprotocol before the token. */
  scheme?: string;
}

/** Client of the plain WebSocket transport. */
export class WebSocketClient {
  readonly socket: WebSocket;
  /** Resolves when open; rejects with `Refused` if the handshake fails. */
  readonly opened: Promise<void>;
  /** Resolves with the close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly log = new EventLog('WebSocket');
  private lastId = 0;

  constructor(url: string, { auth = 'header', token = '', scheme = 'bearer', ...options }: WebSocketOptions) {
    const protocols = auth === 'subprotocol' ? [scheme, token] : [];
    const headers = { ...options.headers, ...(auth === 'header' && { Authorization: `Bearer ${token}` }) };
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { ...options, headers });
    this.opened = this.open(auth === 'frame' ? token : undefined);
    this.opened.catch((error) => this.log.end(error.message));
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        this.log.end(`closed with ${code}`);
        resolve({ code, reason: reason.toString() });
      });
    });
    this.socket.on('message', (data: Buffer) => this.log.push(JSON.parse(data.toString())));
    this.socket.on('error', () => undefined); // `opened` rejects or `closed` resolves
  }

  get frames(): SeenEvent[] {
    return this.log.events;
  }

  /** Resolves with the first matching event, past ones included. */
  until(predicate: (frame: SeenEvent) => boolean, timeoutMs?: number): Promise<SeenEvent> {
    return this.log.until(predicate, timeoutMs);
  }

  /** @param frame objects are sent as JSON text, other values unchanged */
  async send(frame: object | string | Buffer): Promise<void> {
    await this.opened;
    const isRaw = typeof frame === 'string' || Buffer.isBuffer(frame);
    this.socket.send(isRaw ? frame : JSON.stringify(frame));
  }

  /** Sends a frame with a unique id, and resolves with its `ack`. */
  async request(type: string, body: object = {}, timeoutMs?: number): Promise<SeenEvent> {
    const id = ++this.lastId;
    await this.send({ type, id, ...body });
    return this.until((frame) => frame.type === 'ack' && frame.id === id, timeoutMs);
  }

  async close(): Promise<void> {
    this.socket.close();
    const timer = setTimeout(() => this.socket.terminate(), 1000);
    await within(this.closed, 'The WebSocket did not close').finally(() => clearTimeout(timer));
  }

  private open(tokenToFrame?: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once('open', () => {
        if (tokenToFrame !== undefined)
          this.socket.send(JSON.stringify({ type: 'auth', token: tokenToFrame }));
        resolve();
      });
      this.socket.once('unexpected-response', (_request, response) => {
        reject(new Refused(response.statusCode ?? 0));
        response.destroy();
      });
      this.socket.once('error', reject);
    });
  }
}

/** Thrown if the handshake is answered with an HTTP error. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(`The handshake was refused with ${status}`);
  }
}

export const snapshot = (ws: WebSocketClient) => ws.until(({ type }) => type === 'conversation.snapshot');

/** The code that the server closes the socket with. */
export const closeCode = async (ws: WebSocketClient) =>
  (await within(ws.closed, 'The socket was not closed')).code;
