import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { isDuplicateKey, isLocked, retryContention } from './retry.js';

const error = (fields: object, message = 'No.') => Object.assign(new Error(message), fields);

describe('retryContention', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(1);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  /** Work that fails this often. `at` are the times of its attempts, in milliseconds. */
  function failing(times: number, code = 'ER_LOCK_DEADLOCK', tookMs = 0) {
    const at: number[] = [];
    const work = async () => {
      at.push(performance.now() - start);
      jest.advanceTimersByTime(tookMs);
      if (at.length <= times) throw error({ code });
      return 'done';
    };
    const start = performance.now();
    return { at, result: retryContention(work) };
  }

  it.each(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT'])(
    'tries again after %s, with growing delays',
    async (code) => {
      const { at, result } = failing(4, code);
      await jest.advanceTimersByTimeAsync(10_000);

      expect(await result).toBe('done');
      expect(at).toEqual([0, 40, 120, 280, 600]);
    },
  );

  it('tries five times', async () => {
    const { at, result } = failing(9);
    const failed = expect(result).rejects.toMatchObject({ code: 'ER_LOCK_DEADLOCK' });
    await jest.advanceTimersByTimeAsync(10_000);

    await failed;
    expect(at).toHaveLength(5);
  });

  it('begins no attempt after 2.8 s', async () => {
    const { at, result } = failing(9, 'ER_LOCK_WAIT_TIMEOUT', 1390);
    const failed = expect(result).rejects.toMatchObject({ code: 'ER_LOCK_WAIT_TIMEOUT' });
    await jest.advanceTimersByTimeAsync(20_000);

    await failed;
    expect(at).toEqual([0, 1430]);
  });

  it('does not repeat another failure', async () => {
    const { at, result } = failing(1, 'ER_DUP_ENTRY');

    await expect(result).rejects.toMatchObject({ code: 'ER_DUP_ENTRY' });
    expect(at).toHaveLength(1);
  });
});

it.each([
  [error({ errno: 1062 }), true],
  [error({ errno: 2067 }), true],
  [error({ errno: 1555 }), true],
  [error({ code: 'ER_DUP_ENTRY' }), true],
  [error({}, 'UNIQUE constraint failed: users.email'), true],
  [error({ errno: 1213, code: 'ER_LOCK_DEADLOCK' }), false],
  [error({}, 'FOREIGN KEY constraint failed'), false],
])('a duplicate key is recognized in %s: %s', (rejection, expected) => {
  expect(isDuplicateKey(rejection)).toBe(expected);
});

it.each([
  ['database is locked', true],
  ['database table is locked: nodes', true],
  ['the database is locked', false],
  ['disk I/O error', false],
])('a lock of another process is recognized in %j: %s', (message, expected) => {
  expect(isLocked(new Error(message))).toBe(expected);
});
