import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { createDataSource } from '../data-source.js';

/** A statement that takes several milliseconds. */
const LONG =
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT max(i) FROM n';

let database: DataSource;
beforeEach(async () => {
  database = await createDataSource('sqlite::memory:', {}).initialize();
});
afterEach(() => database.destroy());

/** @returns number of event-loop ticks until `work` settles */
async function ticksDuring(work: Promise<unknown>): Promise<number> {
  let ticks = 0;
  let over = false;
  const count = () => {
    if (over) return;
    ticks++;
    setImmediate(count);
  };
  setImmediate(count);
  await work.finally(() => (over = true));
  return ticks;
}

describe('SQLite statements', () => {
  it('yield to the event loop between concurrent statements', async () => {
    const statements = Array.from({ length: 50 }, () => database.query(LONG));

    expect(await ticksDuring(Promise.all(statements))).toBeGreaterThan(5);
  });

  it('yield to the event loop between transactions, which keep their order', async () => {
    const order: number[] = [];
    const transactions = Array.from({ length: 50 }, (_, index) =>
      database.transaction(async (manager) => {
        order.push(index);
        await manager.query(LONG);
        order.push(index);
      }),
    );

    expect(await ticksDuring(Promise.all(transactions))).toBeGreaterThan(5);
    expect(order).toEqual(Array.from({ length: 100 }, (_, n) => Math.floor(n / 2)));
  });

  it('run without yielding if they are short', async () => {
    expect(await ticksDuring(database.query('SELECT 1').then(() => database.query('SELECT 1')))).toBe(0);
  });
});

describe('a database whose folder cannot be created', () => {
  it('is refused at once in /proc, where the recursive mkdir of Node never returns', async () => {
    // Other systems have no /proc, and refuse to create it.
    const unusable = createDataSource('sqlite:/proc/parley/data/parley.db', {});

    await expect(unusable.initialize()).rejects.toThrow(/ENOENT|EROFS|EACCES/);
  });
});
