import { Injectable } from '@nestjs/common';
import { RateLimitedError } from '../common/errors/errors.js';
import { Settings } from '../env/settings.js';
import { Consumption, LimitStore } from './limit-store.js';
import {
  CONCURRENCY_LIMITS,
  ConcurrencyLimitName,
  isNodeOnly,
  RATE_LIMITS,
  RateLimitName,
  windowMsOf,
} from './limits.js';
import { MemoryLimitStore } from './memory-limit-store.js';

/** Identifies the holder of a budget: a user's id, an address (see `addressKey`) or any other key. */
export type LimitKey = string | number;

/** Counts against the limits of limits.ts, for HTTP and sockets together. */
@Injectable()
export class RateLimits {
  constructor(
    private readonly settings: Settings,
    private readonly shared: LimitStore,
    private readonly own: MemoryLimitStore,
  ) {}

  /** @throws {RateLimitedError} when the budget is spent */
  async consume(name: RateLimitName, key: LimitKey): Promise<void> {
    const { allowed, resetMs } = await this.tryConsume(name, key);
    if (!allowed) throw rateLimited(this.limitOf(name), resetMs);
  }

  /** Undoes one `consume` of the current window. */
  async refund(name: RateLimitName, key: LimitKey): Promise<void> {
    if (!this.enabled) return;
    await this.storeOf(name).refund(budgetKey(name, key), windowMsOf(name));
  }

  /** Whether `consume` would throw now. */
  async isExhausted(name: RateLimitName, key: LimitKey): Promise<boolean> {
    if (!this.enabled) return false;
    const { used } = await this.storeOf(name).usage(budgetKey(name, key), windowMsOf(name));
    return used >= this.limitOf(name);
  }

  /** Like `consume`, but returns the result. */
  async tryConsume(name: RateLimitName, key: LimitKey): Promise<Consumption> {
    if (!this.enabled) return { allowed: true, used: 0, resetMs: 0 };
    const budget = { limit: this.limitOf(name), windowMs: windowMsOf(name) };
    return this.storeOf(name).tryConsume(budgetKey(name, key), budget);
  }

  /** Hits per window; Infinity if limits are disabled. */
  limitOf(name: RateLimitName): number {
    return this.scaled(RATE_LIMITS[name].amount);
  }

  /** The most at a time; Infinity if limits are disabled. */
  concurrencyLimitOf(name: ConcurrencyLimitName): number {
    return this.scaled(CONCURRENCY_LIMITS[name]);
  }

  get enabled(): boolean {
    return this.settings.rateLimitScale > 0;
  }

  private scaled(amount: number): number {
    return this.enabled ? Math.max(1, Math.round(amount * this.settings.rateLimitScale)) : Infinity;
  }

  private storeOf(name: RateLimitName): LimitStore {
    return isNodeOnly(name) ? this.own : this.shared;
  }
}

/** Makes the error with the `RateLimit-*` and `Retry-After` headers. */
export function rateLimited(limit: number, resetMs: number): RateLimitedError {
  const seconds = Math.max(1, Math.ceil(resetMs / 1000));
  return new RateLimitedError(seconds, `Too many requests; try again in ${seconds} s.`, {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': String(seconds),
  });
}

/** The budget's key in a LimitStore. */
export function budgetKey(name: RateLimitName, key: LimitKey): string {
  return `${name}:${key}`;
}
