import { connect, type Socket } from 'node:net';
import { within } from './event-log.js';

interface RawOptions {
  /** Disconnects once the response matches; otherwise the server must close the connection. */
  until?: RegExp;
}

/** Sends raw bytes and resolves with the response until the server closes the connection. */
export async function sendRaw(
  url: string,
  bytes: string,
  timeoutMs?: number,
  { until }: RawOptions = {},
): Promise<string> {
  const connection = new RawConnection(url);
  connection.send(bytes);
  if (until) void connection.until(until, timeoutMs).finally(() => connection.socket.destroy());
  return connection.end(timeoutMs);
}

/** Connection for raw bytes. */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  private readonly ended: Promise<void>;

  /** @param allowHalfOpen keeps the connection open after the server ended its side */
  constructor(url: string, { allowHalfOpen = false } = {}) {
    const { hostname: host, port } = new URL(url);
    this.socket = connect({ port: Number(port), host, allowHalfOpen });
    this.socket.on('data', (data) => (this.received += data.toString()));
    this.ended = new Promise((resolve, reject) =>
      this.socket.on('error', reject).on('close', () => resolve()),
    );
    this.ended.catch(() => undefined);
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes);
    return this;
  }

  /** Resolves with the bytes received once they match. */
  until(pattern: RegExp, timeoutMs?: number): Promise<string> {
    const matched = new Promise<string>((resolve) => {
      const look = () => pattern.test(this.received) && resolve(this.received);
      this.socket.on('data', look);
      look();
    });
    return within(matched, `The server did not send ${pattern}`, timeoutMs);
  }

  /** Resolves with the bytes received once the server has closed the connection. */
  async end(timeoutMs?: number): Promise<string> {
    await within(this.ended, 'The server did not close the connection', timeoutMs);
    return this.received;
  }
}
