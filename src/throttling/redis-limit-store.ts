import { Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { once } from 'node:events';
import { createClient } from 'redis';
import { reconnectWhenSilent, redisOptions } from '../common/redis.js';
import { Budget, LimitStore, Take } from './limit-store.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { scripts } from './redis-scripts.js';

/** A Redis that takes longer is of no use to a request that waits for it. */
const ANSWER_TIMEOUT_MS = 300;
/** After a failed call, how long it is left alone, so that a hanging Redis does not slow every request down. */
const REST_MS = 1000;
/** How long a start waits for Redis, which may accept a connection and say nothing. */
const START_TIMEOUT_MS = 2000;

/**
 * One budget for all nodes, in Redis. While Redis is away, each node counts for itself: people can go on working,
 * and a guesser still meets a limit.
 */
export class RedisLimitStore extends LimitStore implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('RateLimits');
  private readonly client;
  private restUntil = 0;
  private away = false;

  constructor(
    url: string,
    private readonly deploymentId: string,
    private readonly fallback: MemoryLimitStore,
  ) {
    super();
    this.client = createClient({ ...redisOptions(url), scripts, disableOfflineQueue: true });
    reconnectWhenSilent(this.client);
    this.client.on('error', (error) => this.lost(error));
    this.client.on('ready', () => this.found());
  }

  /** Waits for the first attempt to connect; when that fails, the client goes on trying by itself. */
  async onModuleInit(): Promise<void> {
    const ready = once(this.client, 'ready', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    this.client.connect().catch((error) => this.lost(error));
    await ready.catch((error: unknown) => this.lost(error));
  }

  onApplicationShutdown(): void {
    if (this.client.isOpen) this.client.destroy();
  }

  override take(key: string, budget: Budget): Promise<Take> {
    return this.attempt(
      () => this.client.takeFromBudget(this.keyOf(key), budget.limit, budget.windowMs),
      () => this.fallback.take(key, budget),
    );
  }

  override giveBack(key: string, windowMs: number): Promise<void> {
    return this.attempt(
      () => this.client.giveBackToBudget(this.keyOf(key)),
      () => this.fallback.giveBack(key, windowMs),
    );
  }

  override peek(key: string, windowMs: number): Promise<Omit<Take, 'taken'>> {
    return this.attempt(
      // Of a limit of none nothing can be taken; what is used is told all the same.
      () => this.client.takeFromBudget(this.keyOf(key), 0, windowMs),
      () => this.fallback.peek(key, windowMs),
    );
  }

  /** Other deployments on the same Redis have users of the same ids. */
  private keyOf(key: string): string {
    return `parley:${this.deploymentId}:limit:${key}`;
  }

  private async attempt<T>(shared: () => Promise<T>, local: () => T): Promise<T> {
    if (!this.client.isReady || performance.now() < this.restUntil) return local();
    try {
      const result = await inTime(shared());
      this.found();
      return result;
    } catch (error) {
      this.restUntil = performance.now() + REST_MS;
      this.lost(error);
      return local();
    }
  }

  private lost(error: unknown): void {
    if (this.away) return;
    this.away = true;
    const { code, name } = error as { code?: string; name?: string };
    this.logger.warn(
      `Redis is away (${code ?? name}); until it is back, each node counts its rate limits by itself.`,
    );
  }

  private found(): void {
    if (!this.away) return;
    this.away = false;
    this.logger.log('Redis is back; the nodes share their rate limits again.');
  }
}

function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () =>
      reject(Object.assign(new Error('Redis did not answer in time'), { code: 'ETIMEDOUT' }));
    // An answer that came while this process was held up is read in the turn after that of the timers.
    const timer = setTimeout(() => setImmediate(late), ANSWER_TIMEOUT_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
