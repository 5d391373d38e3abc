import { expect, it } from '@jest/globals';
import { setImmediate as immediate } from 'node:timers/promises';
import { BatchLoader } from './batch-loader.js';

/** Loader whose batches end on request. */
function heldBatches({ maxBatchSize = 10, maxWaitMs = 60_000 } = {}) {
  const started: { items: number[]; end: (error?: Error) => void }[] = [];
  const loader = new BatchLoader<number, string>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error ? reject(error) : resolve(items.map((item) => `of ${item}`)));
        started.push({ items, end });
      }),
    { maxBatchSize, maxWaitMs },
  );
  return { loader, started, itemsOf: () => started.map(({ items }) => items) };
}

it('batches items of one tick, and items added while a batch runs', async () => {
  const { loader, started, itemsOf } = heldBatches();
  const first = [loader.load(1), loader.load(2)];
  await immediate();
  const second = [loader.load(3), loader.load(4)];
  await immediate();

  expect(itemsOf()).toEqual([[1, 2]]);
  started[0]!.end();
  expect(await Promise.all(first)).toEqual(['of 1', 'of 2']);
  await immediate();
  expect(itemsOf()).toEqual([
    [1, 2],
    [3, 4],
  ]);
  started[1]!.end();
  expect(await Promise.all(second)).toEqual(['of 3', 'of 4']);
});

it('starts the next batch beside a slow one', async () => {
  const { loader, started, itemsOf } = heldBatches({ maxWaitMs: 5 });
  const slow = loader.load(1);
  await immediate();
  const quick = loader.load(2);
  while (started.length < 2) await immediate();
  started[1]!.end();

  expect(await quick).toBe('of 2');
  started[0]!.end();
  expect(await slow).toBe('of 1');
  expect(itemsOf()).toEqual([[1], [2]]);
});

it('limits the size of a batch', async () => {
  const { loader, started, itemsOf } = heldBatches({ maxBatchSize: 2 });
  const all = Promise.all([1, 2, 3, 4, 5].map((item) => loader.load(item)));
  for (let n = 0; n < 3; n++) {
    while (started.length <= n) await immediate();
    started[n]!.end();
  }

  expect(itemsOf()).toEqual([[1, 2], [3, 4], [5]]);
  expect(await all).toHaveLength(5);
});

it('fails all items of a failed batch, and continues with the next', async () => {
  const { loader, started } = heldBatches();
  const failed = [loader.load(1), loader.load(2)].map((added) =>
    expect(added).rejects.toThrow('unavailable'),
  );
  await immediate();
  const next = loader.load(3);
  started[0]!.end(new Error('unavailable'));
  await Promise.all(failed);
  while (started.length < 2) await immediate();
  started[1]!.end();

  expect(await next).toBe('of 3');
});

it('does not delay other items by a result that is a promise', async () => {
  let end!: (result: string) => void;
  const late = new Promise<string>((resolve) => (end = resolve));
  const loader = new BatchLoader<number, string>(
    async (items) => items.map((n) => (n === 1 ? late : 'soon')),
    {
      maxBatchSize: 10,
      maxWaitMs: 60_000,
    },
  );
  const first = loader.load(1);

  expect(await loader.load(2)).toBe('soon');
  end('late');
  expect(await first).toBe('late');
});
