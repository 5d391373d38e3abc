import { describe, expect, it } from '@jest/globals';
import { type Change, KnownChanges } from './request-changes.js';
import type { ModelProvider } from './provider.js';

const provider = (n: number): ModelProvider => ({
  modelUrl: `https://provider${n}.example.com/v1`,
  modelName: 'model',
  apiKey: '',
  params: {},
});

describe('KnownChanges', () => {
  it('keeps those of the 1000 providers that were the last to need some', () => {
    const known = new KnownChanges();
    const needed = new Set<Change>(['no usage']);
    for (let n = 1; n <= 1000; n++) known.remember(provider(n), needed);
    known.remember(provider(2), needed);
    for (let n = 1001; n <= 1003; n++) known.remember(provider(n), needed);

    const all = Array.from({ length: 1003 }, (_, index) => index + 1);
    expect(all.filter((n) => known.of(provider(n)).size === 0)).toEqual([1, 3, 4]);
  });

  it('keeps the 50 latest changes of each', () => {
    const known = new KnownChanges();
    const changes = Array.from({ length: 60 }, (_, n): Change => `drop param${n} 1`);
    known.remember(provider(1), new Set(changes));

    expect([...known.of(provider(1))]).toEqual(changes.slice(10));
  });
});
