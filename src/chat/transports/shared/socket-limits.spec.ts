import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Settings } from '../../../env/settings.js';
import { MemoryLimitStore } from '../../../throttling/memory-limit-store.js';
import { ConcurrencyLimiter } from '../../../throttling/concurrency-limiter.js';
import { RateLimits } from '../../../throttling/rate-limits.js';
import { EventMeter, SocketLimits } from './socket-limits.js';

function limitsAt(rateLimitScale: number): SocketLimits {
  const store = new MemoryLimitStore();
  const limits = new RateLimits(Object.assign(new Settings(), { rateLimitScale }), store, store);
  return new SocketLimits(limits, new ConcurrencyLimiter(limits));
}

describe('SocketLimits', () => {
  it('allow 20 sockets per user, releasing each slot once', () => {
    const limits = limitsAt(1);
    const releases = Array.from({ length: 20 }, () => limits.acquireForUser(1));

    expect(() => limits.acquireForUser(1)).toThrow('Too many sockets');
    limits.acquireForUser(2);
    releases[0]!();
    releases[0]!();
    limits.acquireForUser(1);
    expect(() => limits.acquireForUser(1)).toThrow('Too many sockets');
  });

  it('allow 100 sockets per IPv4 address or IPv6 /64', () => {
    const limits = limitsAt(1);
    for (let n = 0; n < 100; n++) limits.acquireForAddress(`2001:db8::${n}`);

    expect(() => limits.acquireForAddress('2001:db8::ffff')).toThrow('Too many sockets');
    limits.acquireForAddress('2001:db8:0:1::1');
  });

  it('keep no counter of a user without sockets', () => {
    const limits = limitsAt(1);
    for (let user = 0; user < 50; user++) limits.acquireForUser(user)();

    const { limiter } = limits as unknown as { limiter: { counters: Map<string, number> } };
    expect(limiter.counters.size).toBe(0);
  });

  it('are off at scale 0', () => {
    const limits = limitsAt(0);
    for (let n = 0; n < 1000; n++) limits.acquireForUser(1);

    expect(limits.meter().count()).toBe('answer');
  });
});

describe('EventMeter', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const verdicts = (meter: EventMeter, count: number) => {
    const counted = { answer: 0, refuse: 0, close: 0 };
    for (let n = 0; n < count; n++) counted[meter.count()]++;
    return counted;
  };

  it('answers 50 events a second, refuses up to four times as many, and closes beyond', () => {
    expect(verdicts(limitsAt(1).meter(), 300)).toEqual({ answer: 50, refuse: 150, close: 100 });
  });

  it('resets the count each second', () => {
    const meter = limitsAt(1).meter();
    verdicts(meter, 60);
    jest.advanceTimersByTime(1000);

    expect(verdicts(meter, 60)).toEqual({ answer: 50, refuse: 10, close: 0 });
  });
});
