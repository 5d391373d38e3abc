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

/** A user's id, an address (see `addressKey`), or whatever else has a budget of its own. */
export type LimitKey = string | number;

/** The budgets of limits.ts: one for a user's or an address's calls, whichever way they come in. */
@Injectable()
export class RateLimits {
  constructor(
    private readonly settings: Settings,
    private readonly shared: LimitStore,
    private readonly own: MemoryLimitStore,
  ) {}

  /** @throws RateLimitedError when the budget is spent */
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

  /** Takes from a budget without throwing. */
  async tryConsume(name: RateLimitName, key: LimitKey): Promise<Consumption> {
    if (!this.enabled) return { allowed: true, used: 0, resetMs: 0 };
    const budget = { limit: this.limitOf(name), windowMs: windowMsOf(name) };
    return this.storeOf(name).tryConsume(budgetKey(name, key), budget);
  }

  /** Hits a window; Infinity where limits are switched off. */
  limitOf(name: RateLimitName): number {
    return this.scaled(RATE_LIMITS[name].amount);
  }

  /** How many may be there at a time; Infinity where limits are switched off. */
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

/** The failure to answer with, and the headers that say where its caller stands. */
export function rateLimited(limit: number, resetMs: number): RateLimitedError {
  const seconds = Math.max(1, Math.ceil(resetMs / 1000));
  return new RateLimitedError(seconds, `Too many requests; try again in ${seconds} s.`, {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': String(seconds),
  });
}

/** What a budget is kept under. */
export function budgetKey(name: RateLimitName, key: LimitKey): string {
  return `${name}:${key}`;
}
