import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryLimitStore } from './memory-limit-store.js';

const budget = { limit: 3, windowMs: 60_000 };

describe('MemoryLimitStore', () => {
  let store: MemoryLimitStore;

  beforeEach(() => {
    jest.useFakeTimers();
    store = new MemoryLimitStore();
  });
  afterEach(() => void jest.useRealTimers());

  const consume = (count: number, key = 'ada') =>
    Array.from({ length: count }, () => store.tryConsume(key, budget).allowed);

  it('allows as many hits as the limit, for each key separately', () => {
    expect(consume(5)).toEqual([true, true, true, false, false]);
    expect(consume(1, 'ben')).toEqual([true]);
  });

  it('does not count refused hits, so that one refund allows one hit', () => {
    consume(10);

    store.refund('ada', budget.windowMs);

    expect(consume(2)).toEqual([true, false]);
  });

  it('never refunds more than was consumed', () => {
    store.tryConsume('ada', budget);
    for (let i = 0; i < 5; i++) store.refund('ada', budget.windowMs);
    store.refund('stranger', budget.windowMs);

    expect(consume(4)).toEqual([true, true, true, false]);
  });

  it('starts a window with the first hit, and a new one after it has ended', () => {
    expect(store.tryConsume('ada', budget)).toEqual({ allowed: true, used: 1, resetMs: 60_000 });
    jest.advanceTimersByTime(45_000);
    expect(store.tryConsume('ada', budget)).toEqual({ allowed: true, used: 2, resetMs: 15_000 });
    consume(2);
    jest.advanceTimersByTime(14_999);
    expect(consume(1)).toEqual([false]);
    jest.advanceTimersByTime(1);
    expect(store.tryConsume('ada', budget)).toEqual({ allowed: true, used: 1, resetMs: 60_000 });
  });

  it('reports the usage without counting a hit', () => {
    consume(2);

    expect(store.usage('ada', budget.windowMs).used).toBe(2);
    expect(store.usage('ada', budget.windowMs).used).toBe(2);
    expect(store.usage('stranger', budget.windowMs).used).toBe(0);
  });

  it('deletes keys whose windows have ended, without a timer', () => {
    for (let i = 0; i < 1000; i++) store.tryConsume(`address ${i}`, budget);
    jest.advanceTimersByTime(30_000);
    store.tryConsume('later', budget);
    expect(store.size).toBe(1001);

    jest.advanceTimersByTime(30_000);
    store.tryConsume('last', budget);

    expect(store.size).toBe(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('counts windows of different lengths separately', () => {
    store.tryConsume('long', { limit: 1, windowMs: 900_000 });
    store.tryConsume('short', { limit: 1, windowMs: 1000 });
    jest.advanceTimersByTime(1000);

    expect(store.tryConsume('short', { limit: 1, windowMs: 1000 }).allowed).toBe(true);
    expect(store.tryConsume('long', { limit: 1, windowMs: 900_000 }).allowed).toBe(false);
  });
});
