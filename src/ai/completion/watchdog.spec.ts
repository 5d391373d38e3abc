import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ProviderError } from '../provider/provider.error.js';
import { Watchdog } from './watchdog.js';

describe('Watchdog', () => {
  let caller: AbortController;
  let watchdog: Watchdog;

  beforeEach(() => {
    jest.useFakeTimers();
    caller = new AbortController();
    watchdog = new Watchdog(caller.signal, 60);
    watchdog.start();
  });
  afterEach(() => {
    watchdog.stop();
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  const pass = (seconds: number) => jest.advanceTimersByTime(seconds * 1000);
  const error = () => watchdog.signal.reason as ProviderError | undefined;

  it('aborts when a wait has reached its limit', () => {
    watchdog.setWaitLimit(5, 'Silent.');
    watchdog.resume();
    pass(4.9);
    expect(watchdog.signal.aborted).toBe(false);
    pass(0.1);

    expect(error()).toMatchObject({ code: 'upstream_timeout', detail: 'Silent.' });
    expect(watchdog.cancelled).toBe(false);
  });

  it('limits each wait anew', () => {
    watchdog.setWaitLimit(5, 'Silent.');
    for (let n = 0; n < 5; n++) {
      watchdog.resume();
      pass(4);
      watchdog.pause();
    }
    expect(watchdog.signal.aborted).toBe(false);
    watchdog.resume();
    pass(4.9);
    expect(watchdog.signal.aborted).toBe(false);
    pass(0.2);

    expect(watchdog.signal.aborted).toBe(true);
  });

  it('limits all waits together with a deadline', () => {
    watchdog.setWaitLimit(5, 'Late.', { isDeadline: true });
    for (let n = 0; n < 2; n++) {
      watchdog.resume();
      pass(2);
      watchdog.pause();
      pass(10);
    }
    expect(watchdog.signal.aborted).toBe(false);
    watchdog.resume();
    pass(1.1);

    expect(error()?.detail).toBe('Late.');
  });

  it('does not count the time between waits', () => {
    watchdog.setWaitLimit(5, 'Silent.');
    watchdog.resume();
    pass(1);
    watchdog.pause();
    pass(30);

    expect(watchdog.signal.aborted).toBe(false);
  });

  it('forgets earlier waits when the limit is set during one', () => {
    watchdog.setWaitLimit(5, 'Late.', { isDeadline: true });
    watchdog.resume();
    pass(4);
    watchdog.setWaitLimit(3, 'Later.', { isDeadline: true });
    watchdog.pause();
    watchdog.resume();
    pass(2.9);
    expect(watchdog.signal.aborted).toBe(false);
    pass(0.2);

    expect(error()?.detail).toBe('Later.');
  });

  it('aborts when the total time is up, in a wait or not', () => {
    pass(59.9);
    expect(watchdog.signal.aborted).toBe(false);
    pass(0.1);

    expect(error()).toMatchObject({
      code: 'upstream_timeout',
      detail: 'The provider did not finish within 60 seconds.',
    });
  });

  it('aborts with the caller’s reason', () => {
    caller.abort('Stopped.');

    expect(watchdog.signal.reason).toBe('Stopped.');
    expect([watchdog.cancelled, watchdog.closedByReader]).toEqual([true, false]);
  });

  it('aborts at the start if the caller has aborted before', () => {
    const aborted = new Watchdog(AbortSignal.abort('Stopped.'), 60);
    aborted.start();

    expect(aborted.signal.reason).toBe('Stopped.');
    expect(aborted.cancelled).toBe(true);
  });

  it('keeps the connection when it is stopped, whatever happens later', () => {
    watchdog.setWaitLimit(5, 'Silent.');
    watchdog.resume();
    watchdog.stop();
    pass(100);
    caller.abort();

    expect(watchdog.signal.aborted).toBe(false);
  });

  it('closes the connection by its reader', () => {
    watchdog.closeByReader();

    expect(watchdog.signal.aborted).toBe(true);
    expect([watchdog.cancelled, watchdog.closedByReader]).toEqual([true, true]);
  });

  it('counts the duration of a task as a wait, also if it fails', async () => {
    watchdog.setWaitLimit(5, 'Silent.');
    const failed = watchdog.wait(Promise.reject(new Error('No.')));
    await expect(failed).rejects.toThrow('No.');
    expect(await watchdog.wait(Promise.resolve(7))).toBe(7);
    pass(10);
    expect(watchdog.signal.aborted).toBe(false);
    void watchdog.wait(new Promise(() => undefined));
    pass(10);

    expect(watchdog.signal.aborted).toBe(true);
  });
});
