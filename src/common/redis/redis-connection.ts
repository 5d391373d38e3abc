import { EventEmitter, once } from 'node:events';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { createClient, type RedisClientType, type RedisScripts } from 'redis';
import { type RedisAddress, parseRedisUrl } from '../../env/rules/redis-url.js';
import { findPrimary, verifyPrimary } from './find-primary.js';

const VERIFY_INTERVAL_MS = 3000;
const RESPONSE_TIMEOUT_MS = 7000;
/** Upper bound on the delay that a connection adds to the start. */
const START_TIMEOUT_MS = 2000;
/** Jitter keeps nodes from reconnecting at once. */
const backoffMs = (failures: number) => Math.min(50 * 2 ** failures, 1000) + Math.random() * 100;

type NoScripts = Record<never, never>;
export type RedisClient<S extends RedisScripts = NoScripts> = RedisClientType<NoScripts, NoScripts, S>;

/**
 * Connection to the primary. A lost one is replaced by a new client, which is connected to the primary at that time and
 * has no subscriptions. The library's Sentinel client queues commands during a failover, and does not report the
 * return of a lost subscription (`PubSubProxy` of @redis/client 6.3).
 */
export class RedisConnection<S extends RedisScripts = NoScripts> extends EventEmitter<{
  ready: [];
  error: [Error];
}> {
  isReady = false;
  private readonly address: RedisAddress;
  private readonly closing = new AbortController();
  private current?: RedisClient<S>;

  constructor(
    url: string,
    private readonly scripts?: S,
    /** Runs before `ready`. */
    private readonly prepare?: (client: RedisClient<S>) => Promise<void>,
  ) {
    super();
    this.address = parseRedisUrl(url)!;
  }

  /** @throws while not connected */
  get client(): RedisClient<S> {
    if (!this.isReady) throw Object.assign(new Error('Redis is not connected'), { code: 'ENOTCONN' });
    return this.current!;
  }

  /** Connects in the background, as often as necessary. */
  connect(): void {
    void this.run();
  }

  /** Connects; resolves after the first attempt, or after 2 s. */
  async start(): Promise<void> {
    const first = once(this, 'ready', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    this.connect();
    // A failure is also emitted.
    await first.catch(() => undefined);
  }

  /** Replaces the connection. */
  reconnect(reason: Error): void {
    if (this.current) this.lose(this.current, reason);
  }

  close(): void {
    this.closing.abort();
    this.drop();
  }

  private async run(): Promise<void> {
    for (let failures = 0; !this.closing.signal.aborted; failures++) {
      try {
        return await this.open();
      } catch (error) {
        this.drop();
        if (this.closing.signal.aborted) return;
        this.emit('error', error as Error);
        await delay(backoffMs(failures), undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
  }

  private async open(): Promise<void> {
    const { address } = this;
    const primary = address.kind === 'server' ? { url: address.url } : await findPrimary(address);
    this.closing.signal.throwIfAborted();
    const client = this.create(primary);
    this.current = client;
    await client.connect();
    await verifyPrimary(client, address.kind);
    await this.prepare?.(client);
    this.closing.signal.throwIfAborted();
    this.isReady = true;
    void this.watch(client);
    this.emit('ready');
  }

  private create({
    socket,
    ...primary
  }: Awaited<ReturnType<typeof findPrimary>> | { url: string; socket?: undefined }) {
    const client = createClient({
      ...primary,
      scripts: this.scripts,
      // Late commands would be out of order.
      disableOfflineQueue: true,
      // Bounds the time to connect. Later, each write restarts it.
      socket: {
        ...socket,
        socketTimeout: VERIFY_INTERVAL_MS + RESPONSE_TIMEOUT_MS,
        reconnectStrategy: false,
      },
    }) as unknown as RedisClient<S>;
    client.on('error', (error: Error) => this.lose(client, error));
    return client;
  }

  /** Replaces the connection when the server hangs or is no longer the primary. */
  private async watch(client: RedisClient<S>): Promise<void> {
    try {
      while (client === this.current) {
        await delay(VERIFY_INTERVAL_MS, undefined, { ref: false });
        if (client === this.current) await withTimeout(verifyPrimary(client, this.address.kind));
      }
    } catch (error) {
      this.lose(client, error as Error);
    }
  }

  /** Failures before the connection is ready are errors of `open`. */
  private lose(client: RedisClient<S>, error: Error): void {
    if (client !== this.current || !this.isReady) return;
    this.drop();
    this.emit('error', error);
    this.connect();
  }

  private drop(): void {
    this.isReady = false;
    if (this.current?.isOpen) this.current.destroy();
    this.current = undefined;
  }
}

function withTimeout(response: Promise<void>): Promise<void> {
  return Promise.race([response, timeout()]);
}

async function timeout(): Promise<never> {
  await delay(RESPONSE_TIMEOUT_MS, undefined, { ref: false });
  // The poll phase follows the timers: a response that arrived while the event loop was blocked is read first.
  await setImmediate();
  throw new Error(`No response for ${RESPONSE_TIMEOUT_MS} ms`);
}
