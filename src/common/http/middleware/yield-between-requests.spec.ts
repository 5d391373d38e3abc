import { describe, expect, it } from '@jest/globals';
import type { Request, Response } from 'express';
import { setImmediate as immediate } from 'node:timers/promises';
import { yieldBetweenRequests } from './yield-between-requests.js';

/**
 * Sends a burst of requests in one tick.
 * @returns the paths of the started requests
 */
function burst(paths: string[]): string[] {
  const handler = yieldBetweenRequests();
  const begun: string[] = [];
  for (const path of paths) void handler({ path } as Request, {} as Response, () => begun.push(path));
  return begun;
}

describe('yieldBetweenRequests', () => {
  it('starts the first request of a burst at once, and the others in later ticks, in order', async () => {
    const paths = Array.from({ length: 25 }, (_, n) => `/auth/login/${n}`);

    const begun = burst(paths);

    expect(begun).toEqual(paths.slice(0, 10));
    await immediate();
    expect(begun).toEqual(paths.slice(0, 20));
    await immediate();
    expect(begun).toEqual(paths);
  });

  it('never queues a health probe', () => {
    expect(burst([...Array<string>(50).fill('/auth/login'), '/health/live'])).toContain('/health/live');
  });

  it('does not delay a single request, also after a burst', async () => {
    const handler = yieldBetweenRequests();
    const begun: number[] = [];
    const ask = (n: number) => void handler({ path: '/' } as Request, {} as Response, () => begun.push(n));
    for (let n = 0; n < 15; n++) ask(n);
    for (let tick = 0; tick < 3; tick++) await immediate();

    ask(15);

    expect(begun).toEqual(Array.from({ length: 16 }, (_, n) => n));
  });
});
