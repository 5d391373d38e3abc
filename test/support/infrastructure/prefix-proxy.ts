import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What a firewall does with a request; `page` answers with the sign-in page of a network. */
export type Verdict = 'pass' | 'refuse' | 'hang' | 'reset' | 'page';

const PAGE = '<!doctype html><h1>Welcome to our network</h1>';

/** Reverse proxy that serves a server under a path prefix and strips it. */
export class PrefixProxy {
  /** Asked for each request. */
  judge: (request: IncomingMessage, isUpgrade: boolean) => Verdict = () => 'pass';
  /** Paths of the requests, with their `Last-Event-ID`. */
  readonly requests: { path: string; lastEventId: string | undefined }[] = [];
  private readonly server = createServer((incoming, response) => {
    const verdict = this.judge(incoming, false);
    if (verdict === 'hang') return;
    if (verdict === 'reset') return void incoming.socket.resetAndDestroy();
    if (verdict === 'refuse') return void response.writeHead(403).end();
    if (verdict === 'page') return void response.writeHead(200, { 'Content-Type': 'text/html' }).end(PAGE);
    const lastEventId = incoming.headers['last-event-id'] as string | undefined;
    this.requests.push({ path: incoming.url!, lastEventId });
    const outgoing = this.pass(incoming).on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.rawHeaders).flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  private losing = false;
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

  /** Holds back what the server sends from now on, over connections that are open. @returns what ends this */
  loseAnswers(): { end(): void } {
    this.losing = true;
    return { end: () => void (this.losing = false) };
  }

  /** Resets all connections. */
  breakAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
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
    const verdict = this.judge(incoming, true);
    if (verdict === 'hang') return;
    if (verdict === 'reset') return void near.destroy();
    if (verdict === 'refuse' || verdict === 'page')
      return void near.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    const outgoing = this.pass(incoming);
    outgoing.on('upgrade', (answer, far, early) => {
      const head = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}`);
      near.write(['HTTP/1.1 101 Switching Protocols', ...head, '', ''].join('\r\n'));
      near.write(early);
      for (const end of [near, far]) end.on('error', () => undefined);
      near.on('close', () => far.destroy());
      near.pipe(far);
      far.on('data', (data) => !this.losing && near.write(data)).on('end', () => near.end());
    });
    outgoing.on('response', () => near.destroy()).on('error', () => near.destroy());
    outgoing.end();
  }
}
