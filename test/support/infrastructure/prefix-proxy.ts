import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Reverse proxy that serves a server under a path prefix and strips it. */
export class PrefixProxy {
  private readonly server = createServer((incoming, response) => {
    const outgoing = this.pass(incoming).on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders);
      answer.pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    incoming.pipe(outgoing);
  });
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly prefix: string,
    private readonly target: () => string,
    private readonly headers: Record<string, string>,
  ) {
    this.server.on('connection', (socket: Socket) => this.sockets.add(socket));
    this.server.on('upgrade', (incoming: IncomingMessage, near: Duplex) => this.upgrade(incoming, near));
  }

  /** @param headers added by the proxy, such as X-Forwarded-Prefix */
  static async start(prefix: string, target: () => string, headers = {}): Promise<PrefixProxy> {
    const proxy = new PrefixProxy(prefix, target, headers);
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** The URL with the prefix and a trailing slash. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${this.prefix}/`;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** Answers 404 outside of the prefix. */
  private pass({ method, url = '', headers }: IncomingMessage) {
    const path = url.startsWith(`${this.prefix}/`) ? url.slice(this.prefix.length) : '/another-server';
    return request(this.target() + path, { method, headers: { ...headers, ...this.headers } });
  }

  private upgrade(incoming: IncomingMessage, near: Duplex): void {
    const outgoing = this.pass(incoming);
    outgoing.on('upgrade', (answer, far, early) => {
      const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
      near.write(['HTTP/1.1 101 Switching Protocols', ...head, '', ''].join('\r\n'));
      near.write(early);
      for (const end of [near, far]) end.on('error', () => undefined);
      near.pipe(far).pipe(near);
    });
    outgoing.on('response', () => near.destroy()).on('error', () => near.destroy());
    outgoing.end();
  }
}
