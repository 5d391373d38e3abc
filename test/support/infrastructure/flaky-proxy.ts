import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** How often, per piece of data in either direction, a connection fails. */
export interface Flakiness {
  /** The connection ends in the middle of the piece. */
  halves: number;
  /** The piece arrives, and the connection is reset. */
  drops: number;
  /** The piece, and all that follows it, arrives later. */
  delays: number;
  maxDelayMs: number;
  /** How often a connection begins late, so that later ones overtake it. */
  overtakes?: number;
}

const CALM: Flakiness = { halves: 0, drops: 0, delays: 0, maxDelayMs: 0 };

/** A network that fails at random points, by a seed. */
export class FlakyProxy {
  /** What it does now; calm at first. */
  flakiness = CALM;
  /** How many connections it has broken. */
  broken = 0;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  private constructor(
    private readonly target: () => number,
    private readonly random: () => number,
  ) {
    this.server = createServer((client) => void this.accept(client));
  }

  /** @param target the server's port, asked for each connection @param seed of the failures */
  static async start(target: () => number, seed: number): Promise<FlakyProxy> {
    const proxy = new FlakyProxy(target, randomFrom(seed));
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  calmDown(): void {
    this.flakiness = CALM;
  }

  /** Resets all connections. */
  breakAll(): void {
    this.broken += this.sockets.size;
    this.sockets.forEach((socket) => socket.resetAndDestroy());
  }

  async close(): Promise<void> {
    this.server.close();
    this.breakAll();
    await once(this.server, 'close');
  }

  private async accept(client: Socket): Promise<void> {
    this.track(client);
    const { overtakes = 0, maxDelayMs } = this.flakiness;
    if (this.random() < overtakes) await delay(this.random() * 4 * maxDelayMs);
    if (!client.destroyed) this.join(client, this.track(connect(this.target(), '127.0.0.1')));
  }

  private track(socket: Socket): Socket {
    this.sockets.add(socket.setNoDelay(true));
    return socket.on('error', () => socket.destroy()).on('close', () => this.sockets.delete(socket));
  }

  private join(client: Socket, target: Socket): void {
    const end = () => [client, target].forEach((socket) => socket.destroy());
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      from.on('error', end).on('close', end);
      let last = Promise.resolve();
      from.on('data', (data) => (last = last.then(() => this.pass(data, to))));
    }
  }

  private async pass(data: Buffer, to: Socket): Promise<void> {
    const { halves, drops, delays, maxDelayMs } = this.flakiness;
    const dice = this.random();
    if (dice < halves) return this.cut(to, data.subarray(0, Math.floor(data.length * this.random())));
    if (dice < halves + drops) return this.cut(to, data);
    if (dice < halves + drops + delays) {
      await delay(this.random() * maxDelayMs);
    }
    if (!to.destroyed) to.write(data);
  }

  private cut(to: Socket, data: Buffer): void {
    this.broken++;
    if (!to.destroyed) to.end(data, () => to.destroy());
  }
}

/** Mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
