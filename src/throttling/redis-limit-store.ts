import { Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { once } from 'node:events';
import { createClient } from 'redis';
import { reconnectWhenSilent, redisOptions } from '../common/redis.js';
import { Budget, Consumption, LimitStore, Usage } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { scripts } from './redis-scripts.js';

/** A Redis that takes longer is of no use to a request that waits for it. */
const REPLY_TIMEOUT_MS = 300;
/** After a failed call, how long it is left alone, so that a hanging Redis does not slow every request down. */
const RETRY_AFTER_MS = 1000;
/** How long a start waits for Redis, which may accept a connection and say nothing. */
const START_TIMEOUT_MS = 2000;

/**
 * One budget for all nodes, in Redis. While Redis is away, each node counts for itself: people can go on working,
 * and a guesser still meets a limit.
 */
export class RedisLimitStore extends LimitStore implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RateLimits');
  private readonly client;
  private retryAt = 0;
  private unavailable = false;

  constructor(
    url: string,
    private readonly deploymentId: string,
    private readonly fallback: MemoryLimitStore,
  ) {
    super();
    this.client = createClient({ ...redisOptions(url), scripts, disableOfflineQueue: true });
    reconnectWhenSilent(this.client);
    this.client.on('error', (error) => this.onFailure(error));
    this.client.on('ready', () => this.onRecovery());
  }

  /** Waits for the first attempt to connect; when that fails, the client goes on trying by itself. */
  async onModuleInit(): Promise<void> {
    const ready = once(this.client, 'ready', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    this.client.connect().catch((error) => this.onFailure(error));
    await ready.catch((error: unknown) => this.onFailure(error));
  }

  onApplicationShutdown(): void {
    if (this.client.isOpen) this.client.destroy();
  }

  override tryConsume(key: string, budget: Budget): Promise<Consumption> {
    return this.attempt(
      () => this.client.tryConsume(this.keyOf(key), budget.limit, budget.windowMs),
      () => this.fallback.tryConsume(key, budget),
    );
  }

  override refund(key: string, windowMs: number): Promise<void> {
    return this.attempt(
      () => this.client.refund(this.keyOf(key)),
      () => this.fallback.refund(key, windowMs),
    );
  }

  override usage(key: string, windowMs: number): Promise<Usage> {
    return this.attempt(
      // Of a limit of none nothing can be taken; what is used is told all the same.
      () => this.client.tryConsume(this.keyOf(key), 0, windowMs),
      () => this.fallback.usage(key, windowMs),
    );
  }

  /** Other deployments on the same Redis have users of the same ids. */
  private keyOf(key: string): string {
    return `parley:${this.deploymentId}:limit:${key}`;
  }

  private async attempt<T>(shared: () => Promise<T>, local: () => T): Promise<T> {
    if (!this.client.isReady || performance.now() < this.retryAt) return local();
    try {
      const result = await withTimeout(shared());
      this.onRecovery();
      return result;
    } catch (error) {
      this.retryAt = performance.now() + RETRY_AFTER_MS;
      this.onFailure(error);
      return local();
    }
  }

  private onFailure(error: unknown): void {
    if (this.unavailable) return;
    this.unavailable = true;
    const { code, name } = error as { code?: string; name?: string };
    this.logger.warn(
      `Redis is away (${code ?? name}); until it is back, each node counts its rate limits by itself.`,
    );
  }

  private onRecovery(): void {
    if (!this.unavailable) return;
    this.unavailable = false;
    this.logger.log('Redis is back; the nodes share their rate limits again.');
  }
}

function withTimeout<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(Object.assign(new Error('Redis did not answer in time'), { code: 'ETIMEDOUT' }));
    // An answer that came while this process was held up is read in the turn after that of the timers.
    const timer = setTimeout(() => setImmediate(late), REPLY_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
