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

  const takes = (count: number, key = 'ada') =>
    Array.from({ length: count }, () => store.take(key, budget).taken);

  it('lets as many through as the limit says, for each key by itself', () => {
    expect(takes(5)).toEqual([true, true, true, false, false]);
    expect(takes(1, 'ben')).toEqual([true]);
  });

  it('does not count what it refuses, so that giving one back makes room for one', () => {
    takes(10);

    store.giveBack('ada', budget.windowMs);

    expect(takes(2)).toEqual([true, false]);
  });

  it('never gives back more than was taken', () => {
    store.take('ada', budget);
    for (let i = 0; i < 5; i++) store.giveBack('ada', budget.windowMs);
    store.giveBack('stranger', budget.windowMs);

    expect(takes(4)).toEqual([true, true, true, false]);
  });

  it('begins a window with its first hit, and a new one once that has ended', () => {
    expect(store.take('ada', budget)).toEqual({ taken: true, used: 1, resetMs: 60_000 });
    jest.advanceTimersByTime(45_000);
    expect(store.take('ada', budget)).toEqual({ taken: true, used: 2, resetMs: 15_000 });
    takes(2);
    jest.advanceTimersByTime(14_999);
    expect(takes(1)).toEqual([false]);
    jest.advanceTimersByTime(1);
    expect(store.take('ada', budget)).toEqual({ taken: true, used: 1, resetMs: 60_000 });
  });

  it('tells what is used without taking any', () => {
    takes(2);

    expect(store.peek('ada', budget.windowMs).used).toBe(2);
    expect(store.peek('ada', budget.windowMs).used).toBe(2);
    expect(store.peek('stranger', budget.windowMs).used).toBe(0);
  });

  it('forgets keys whose windows have ended, and has no timer for it', () => {
    for (let i = 0; i < 1000; i++) store.take(`address ${i}`, budget);
    jest.advanceTimersByTime(30_000);
    store.take('later', budget);
    expect(store.size).toBe(1001);

    jest.advanceTimersByTime(30_000);
    store.take('last', budget);

    expect(store.size).toBe(2);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keeps windows of different lengths apart', () => {
    store.take('long', { limit: 1, windowMs: 900_000 });
    store.take('short', { limit: 1, windowMs: 1000 });
    jest.advanceTimersByTime(1000);

    expect(store.take('short', { limit: 1, windowMs: 1000 }).taken).toBe(true);
    expect(store.take('long', { limit: 1, windowMs: 900_000 }).taken).toBe(false);
  });
});
