import { beforeEach, describe, expect, it } from '@jest/globals';
import { load, useDataDir } from '../../test/support/settings.js';
import { ConcurrencyLimiter } from './concurrency-limiter.js';
import { CONCURRENCY_LIMITS } from './limits.js';
import { MemoryLimitStore } from './memory-limit-store.js';
import { RateLimits } from './rate-limits.js';

const NAME = 'running_replies';
const MOST = CONCURRENCY_LIMITS[NAME];

useDataDir();

let limiter: ConcurrencyLimiter;
beforeEach(() => {
  const store = new MemoryLimitStore();
  limiter = new ConcurrencyLimiter(new RateLimits(load(), store, store));
});

const acquire = (key = 1) => limiter.acquire(NAME, key, 'Too many.');
const acquireAll = () => Array.from({ length: MOST }, () => acquire());

describe('ConcurrencyLimiter', () => {
  it('refuses more than the limit, for each key separately', () => {
    acquireAll();

    expect(() => acquire()).toThrow('Too many.');
    expect(() => acquire(2)).not.toThrow();
  });

  it('gives each release to one other holder', () => {
    const [release] = acquireAll();
    release!();
    release!();
    acquire();

    expect(() => acquire()).toThrow('Too many.');
  });

  it('acquires by force beyond the limit, and counts it', () => {
    const [release] = acquireAll();
    limiter.forceAcquire(NAME, 1);
    release!();

    expect(limiter.isFull(NAME, 1)).toBe(true);
  });
});
