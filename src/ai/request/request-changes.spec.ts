import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type Change, KnownChanges } from './request-changes.js';
import type { ModelProvider } from '../provider/provider.js';

const provider = (n: number, others: Partial<ModelProvider> = {}): ModelProvider => ({
  modelUrl: `https://provider${n}.example.com/v1`,
  modelName: 'model',
  apiKey: '',
  params: {},
  ...others,
});

afterEach(() => {
  jest.useRealTimers();
});

describe('KnownChanges', () => {
  it('keeps the changes of the 10,000 most recent accounts', () => {
    const known = new KnownChanges();
    const needed = new Set<Change>(['no usage']);
    for (let n = 1; n <= 10_000; n++) known.remember(provider(n), needed);
    known.remember(provider(2), needed);
    for (let n = 10_001; n <= 10_003; n++) known.remember(provider(n), needed);

    const all = Array.from({ length: 10_003 }, (_, index) => index + 1);
    expect(all.filter((n) => known.get(provider(n)).size === 0)).toEqual([1, 3, 4]);
  });

  it('keeps the latest 50 changes per account', () => {
    const known = new KnownChanges();
    const changes = Array.from({ length: 60 }, (_, n): Change => `drop param${n} 1`);
    known.remember(provider(1), new Set(changes));

    expect([...known.get(provider(1))]).toEqual(changes.slice(10));
  });

  it.each<[what: string, other: Partial<ModelProvider>, isKnown: boolean]>([
    ['the same account', { params: { seed: 1 } }, true],
    ['another URL', { modelUrl: 'https://provider1.example.com/v2' }, false],
    ['another model', { modelName: 'other' }, false],
    ['another key', { apiKey: 'sk-other' }, false],
    ['another user of a shared configuration', { sharedWith: 2 }, false],
  ])('knows changes for %s (%j): %s', (_, other, isKnown) => {
    const known = new KnownChanges();
    known.remember(provider(1), new Set(['no stream']));

    expect(known.get(provider(1, other)).has('no stream')).toBe(isKnown);
  });

  it('forgets changes after an hour', () => {
    jest.useFakeTimers();
    const known = new KnownChanges();
    known.remember(provider(1), new Set(['no stream']));

    jest.advanceTimersByTime(3_599_000);
    expect(known.get(provider(1)).size).toBe(1);
    jest.advanceTimersByTime(1_000);
    expect(known.get(provider(1)).size).toBe(0);
  });
});
