import { connect, type Socket } from 'node:net';
import { within } from './event-log.js';

interface RawOptions {
  /** Leaves once this has come; else the server has to close the connection. */
  until?: RegExp;
}

/** Sends bytes as they are, as no HTTP client would, and resolves with all that comes back until the server closes. */
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

/** A connection for bytes as they are. */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  private readonly ended: Promise<void>;

  /** @param allowHalfOpen stays when the server has ended its side */
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

  /** Resolves with all that has come once that matches. */
  until(pattern: RegExp, timeoutMs?: number): Promise<string> {
    const matched = new Promise<string>((resolve) => {
      const look = () => pattern.test(this.received) && resolve(this.received);
      this.socket.on('data', look);
      look();
    });
    return within(matched, `The server did not send ${pattern}`, timeoutMs);
  }

  /** Resolves with all that has come once the server has closed the connection. */
  async end(timeoutMs?: number): Promise<string> {
    await within(this.ended, 'The server did not close the connection', timeoutMs);
    return this.received;
  }
}
