import { expect, it } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { BatchLoader } from './batch-loader.js';

/** Batches that end when they are told to. */
function heldBatches({ size = 10, patienceMs = 60_000 } = {}) {
  const begun: { items: number[]; end: (error?: Error) => void }[] = [];
  const batches = new BatchLoader<number, string>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error ? reject(error) : resolve(items.map((item) => `of ${item}`)));
        begun.push({ items, end });
      }),
    { size, maxWaitMs: patienceMs },
  );
  return { batches, begun, itemsOf: () => begun.map(({ items }) => items) };
}

it('runs together what comes in one turn, and what comes while that runs', async () => {
  const { batches, begun, itemsOf } = heldBatches();
  const first = [batches.load(1), batches.load(2)];
  await turn();
  const second = [batches.load(3), batches.load(4)];
  await turn();

  expect(itemsOf()).toEqual([[1, 2]]);
  begun[0]!.end();
  expect(await Promise.all(first)).toEqual(['of 1', 'of 2']);
  await turn();
  expect(itemsOf()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  begun[1]!.end();
  expect(await Promise.all(second)).toEqual(['of 3', 'of 4']);
});

it('has nobody wait for a batch that takes long', async () => {
  const { batches, begun, itemsOf } = heldBatches({ patienceMs: 5 });
  const slow = batches.load(1);
  await turn();
  const quick = batches.load(2);
  while (begun.length < 2) await turn();
  begun[1]!.end();

  expect(await quick).toBe('of 2');
  begun[0]!.end();
  expect(await slow).toBe('of 1');
  expect(itemsOf()).toEqual([[1], [2]]);
});

it('makes no batch larger than it may be', async () => {
  const { batches, begun, itemsOf } = heldBatches({ size: 2 });
  const all = Promise.all([1, 2, 3, 4, 5].map((item) => batches.load(item)));
  for (let n = 0; n < 3; n++) {
    while (begun.length <= n) await turn();
    begun[n]!.end();
  }

  expect(itemsOf()).toEqual([[1, 2], [3, 4], [5]]);
  expect(await all).toHaveLength(5);
});

it('fails each of a batch that fails, and goes on with the next', async () => {
  const { batches, begun } = heldBatches();
  const failed = [batches.load(1), batches.load(2)].map((added) => expect(added).rejects.toThrow('away'));
  await turn();
  const next = batches.load(3);
  begun[0]!.end(new Error('away'));
  await Promise.all(failed);
  while (begun.length < 2) await turn();
  begun[1]!.end();

  expect(await next).toBe('of 3');
});

it('settles an item whose result takes longer by itself', async () => {
  let end!: (result: string) => void;
  const late = new Promise<string>((resolve) => (end = resolve));
  const batches = new BatchLoader<number, string>(
    async (items) => items.map((n) => (n === 1 ? late : 'soon')),
    {
      size: 10,
      maxWaitMs: 60_000,
    },
  );
  const first = batches.load(1);

  expect(await batches.load(2)).toBe('soon');
  end('late');
  expect(await first).toBe('late');
});
