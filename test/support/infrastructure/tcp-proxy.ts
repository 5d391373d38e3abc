import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut, in the ways that networks and servers fail. */
export class TcpProxy {
  /** All that are open, of both sides. */
  private readonly sockets = new Set<Socket>();
  /** Clients that wait to be joined to the server. */
  private waiting: Socket[] = [];
  private server!: Server;
  private hanging = false;

  private constructor(
    private readonly host: string,
    private readonly targetPort: number,
  ) {}

  static async start(host: string, port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(host, port);
    await proxy.listen(0);
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resets what is connected and refuses what comes: the server is down. @returns what mends it */
  async refuse(): Promise<() => Promise<void>> {
    const { port, server } = this;
    server.close();
    this.sockets.forEach((socket) => socket.resetAndDestroy());
    await once(server, 'close');
    return () => this.listen(port);
  }

  /** Swallows what is sent, on connections old and new: the server, or the network, is stuck. @returns what mends it */
  async hang(): Promise<() => Promise<void>> {
    this.hanging = true;
    this.sockets.forEach((socket) => socket.pause());
    return async () => {
      this.sockets.forEach((socket) => socket.resume());
      this.joinWaiting();
    };
  }

  /** As `hang`, but what was connected by then stays dead for ever. */
  async lose(): Promise<() => Promise<void>> {
    await this.hang();
    return async () => this.joinWaiting();
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.refuse();
  }

  private joinWaiting(): void {
    this.hanging = false;
    this.waiting.forEach((client) => this.join(client));
    this.waiting = [];
  }

  private async listen(port: number): Promise<void> {
    this.server = createServer((client) => {
      this.keep(client, () => client.destroy());
      if (this.hanging) this.waiting.push(client.pause());
      else this.join(client);
    });
    await once(this.server.listen(port, '127.0.0.1'), 'listening');
  }

  private join(client: Socket): void {
    const target = connect(this.targetPort, this.host);
    this.keep(target, () => client.destroy());
    client.on('close', () => target.destroy());
    client.on('data', (data) => target.write(data)).resume();
    target.on('data', (data) => client.write(data));
  }

  private keep(socket: Socket, ended: () => void): void {
    this.sockets.add(socket.setNoDelay(true));
    socket.on('error', ended).on('close', ended);
    socket.on('close', () => this.sockets.delete(socket));
  }
}
