import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { takeTurns } from './take-turns.js';

/** A burst of requests, all in one turn. @returns the paths of those that have begun */
function burst(paths: string[]): string[] {
  const handler = takeTurns();
  const begun: string[] = [];
  for (const path of paths) void handler({ path } as Request, {} as Response, () => begun.push(path));
  return begun;
}

describe('takeTurns', () => {
  it('begins the first of a burst at once, and the rest in later turns, in their order', async () => {
    const paths = Array.from({ length: 10 }, (_, n) => `/auth/login/${n}`);

    const begun = burst(paths);

    expect(begun).toEqual(paths.slice(0, 4));
    await nextTurn();
    expect(begun).toEqual(paths.slice(0, 8));
    await nextTurn();
    expect(begun).toEqual(paths);
  });

  it('lets a prober pass all that wait', () => {
    expect(burst([...Array<string>(50).fill('/auth/login'), '/health/live'])).toContain('/health/live');
  });

  it('makes nobody wait who comes alone, also after a burst', async () => {
    const handler = takeTurns();
    const begun: number[] = [];
    const ask = (n: number) => void handler({ path: '/' } as Request, {} as Response, () => begun.push(n));
    for (let n = 0; n < 7; n++) ask(n);
    for (let turn = 0; turn < 3; turn++) await nextTurn();

    ask(7);

    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
