import { Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { HASH_TAG } from '../common/redis/find-primary.js';
import { RedisConnection } from '../common/redis/redis-connection.js';
import { Budget, Consumption, LimitStore, WindowUsage } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { scripts } from './redis-scripts.js';

/** Upper bound on the delay that Redis adds to a request. */
const REPLY_TIMEOUT_MS = 300;
/** Pause after a failed call, so that a hanging Redis does not delay every request. */
const RETRY_AFTER_MS = 1000;

/**
 * Shares budgets between nodes through Redis. While Redis is unavailable, each node counts by itself, so that users can
 * continue and guessing stays limited.
 */
export class RedisLimitStore extends LimitStore implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RateLimits');
  private readonly connection;
  private retryAt = 0;
  private unavailable = false;

  constructor(
    url: string,
    private readonly deploymentId: string,
    private readonly fallback: MemoryLimitStore,
  ) {
    super();
    this.connection = new RedisConnection(url, scripts);
    this.connection.on('error', (error) => this.onFailure(error));
    this.connection.on('ready', () => this.onRecovery());
  }

  onModuleInit(): Promise<void> {
    return this.connection.start();
  }

  onApplicationShutdown(): void {
    this.connection.close();
  }

  override tryConsume(key: string, budget: Budget): Promise<Consumption> {
    return this.attempt(
      () => this.connection.client.tryConsume(this.keyOf(key), budget.limit, budget.windowMs),
      () => this.fallback.tryConsume(key, budget),
    );
  }

  override refund(key: string, windowMs: number): Promise<void> {
    return this.attempt(
      () => this.connection.client.refund(this.keyOf(key)),
      () => this.fallback.refund(key, windowMs),
    );
  }

  override usage(key: string, windowMs: number): Promise<WindowUsage> {
    return this.attempt(
      // With limit 0 the script counts nothing and returns the usage.
      () => this.connection.client.tryConsume(this.keyOf(key), 0, windowMs),
      () => this.fallback.usage(key, windowMs),
    );
  }

  /** The deployment's id separates deployments that share a Redis and have equal user ids. */
  private keyOf(key: string): string {
    return `{${HASH_TAG}}:${this.deploymentId}:limit:${key}`;
  }

  private async attempt<T>(shared: () => Promise<T>, local: () => T): Promise<T> {
    if (!this.connection.isReady || performance.now() < this.retryAt) return local();
    try {
      const result = await withTimeout(shared());
      this.onRecovery();
      return result;
    } catch (error) {
      this.retryAt = performance.now() + RETRY_AFTER_MS;
      this.onFailure(error);
      if (isDemoted(error)) this.connection.reconnect(error);
      return local();
    }
  }

  private onFailure(error: unknown): void {
    if (this.unavailable) return;
    this.unavailable = true;
    const { code, name } = error as { code?: string; name?: string };
    this.logger.warn(
      `Redis is unavailable (${code ?? name}): rate limits are counted by each node until it is back.`,
    );
  }

  private onRecovery(): void {
    if (!this.unavailable) return;
    this.unavailable = false;
    this.logger.log('Redis is available again: rate limits are shared between nodes.');
  }
}

/** Whether another server has become the primary. */
const isDemoted = (error: unknown): error is Error =>
  error instanceof Error && /^(READONLY|MOVED|ASK|CLUSTERDOWN) /.test(error.message);

function withTimeout<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(Object.assign(new Error('Redis did not answer in time'), { code: 'ETIMEDOUT' }));
    // The poll phase follows the timers: a reply that arrived while the event loop was blocked is read first.
    const timer = setTimeout(() => setImmediate(late), REPLY_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
