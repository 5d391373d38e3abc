import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** TCP proxy that simulates failures of networks and servers. */
export class TcpProxy {
  /** Open connections of both sides. */
  private readonly sockets = new Set<Socket>();
  /** Clients not connected to the server yet. */
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

  /** Resets connections and refuses new ones, like a stopped server. @returns a function that ends this */
  async refuse(): Promise<() => Promise<void>> {
    const { port, server } = this;
    server.close();
    this.sockets.forEach((socket) => socket.resetAndDestroy());
    await once(server, 'close');
    return () => this.listen(port);
  }

  /** Holds back data of old and new connections, like a hanging server. @returns a function that ends this */
  async hang(): Promise<() => Promise<void>> {
    this.hanging = true;
    this.sockets.forEach((socket) => socket.pause());
    return async () => {
      this.sockets.forEach((socket) => socket.resume());
      this.joinWaiting();
    };
  }

  /** Like `hang`, but existing connections never recover. */
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
