/** Parts of the client that need no server. */
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { webcrypto } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Emitter } from '../../sdk/typescript/src/emitter.js';
import {
  isProblem,
  networkError,
  ParleyError,
  problemError,
  responseError,
} from '../../sdk/typescript/src/error.js';
import { readEvents } from '../../sdk/typescript/src/http/event-stream.js';
import { isTemporary, Retries } from '../../sdk/typescript/src/http/retries.js';
import { withTimeout } from '../../sdk/typescript/src/http/timeout.js';
import { Backoff } from '../../sdk/typescript/src/platform/backoff.js';
import { withLock } from '../../sdk/typescript/src/platform/locks.js';
import { onPageEvent } from '../../sdk/typescript/src/platform/page-events.js';
import { uuid } from '../../sdk/typescript/src/platform/uuid.js';
import { Store } from '../../sdk/typescript/src/store.js';

const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const failure = (status: number, fields: { code?: string; retryAfter?: number } = {}) =>
  new ParleyError(fields.code ?? 'failed', 'Failed.', { status, ...fields });

/** Defines a global for one test. */
function provide(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
const own = ['navigator', 'crypto', 'document', 'addEventListener', 'removeEventListener'];
const saved = own.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const);
afterEach(() => {
  jest.restoreAllMocks();
  for (const [name, descriptor] of saved)
    if (descriptor) Object.defineProperty(globalThis, name, descriptor);
    else delete (globalThis as Record<string, unknown>)[name];
});

describe('Backoff', () => {
  const waits = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.nextMs());

  it('doubles up to a limit, and begins again after a success', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const backoff = new Backoff(500, 3000);
    expect(waits(backoff, 5)).toEqual([500, 1000, 2000, 3000, 3000]);
    backoff.reset();
    expect(waits(backoff, 2)).toEqual([500, 1000]);
  });

  it('takes half of the time or more, at random', () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0);
    expect(new Backoff(500, 3000).nextMs()).toBe(250);
    random.mockReturnValue(0.5);
    expect(new Backoff(500, 3000).nextMs()).toBe(375);
  });

  it('waits as long as the server asks, a minute at most', () => {
    jest.spyOn(Math, 'random').mockReturnValue(1);
    const backoff = new Backoff(500, 500);
    expect([0, 0.1, 30, 60, 61].map((seconds) => backoff.nextMs(seconds))).toEqual([
      500, 500, 30_000, 60_000, 60_000,
    ]);
  });
});

describe('a failed request', () => {
  it.each([
    [failure(0), true],
    [failure(400), false],
    [failure(401), false],
    [failure(401, { code: 'token_expired' }), true],
    [failure(404), false],
    [failure(408), true],
    [failure(409), false],
    [failure(409, { code: 'reply_in_progress' }), true],
    [failure(425), true],
    [failure(429), true],
    [failure(429, { retryAfter: 60 }), true],
    [failure(429, { retryAfter: 61 }), false],
    [failure(409, { code: 'reply_in_progress', retryAfter: 61 }), true],
    [failure(499), false],
    [failure(500), true],
    [failure(503), true],
    [new Error('failed'), false],
    [new TypeError('failed'), false],
  ])('%# may be repeated, or not', (error, isRepeated) => {
    expect(isTemporary(error)).toBe(isRepeated);
    const next = () => new Retries().nextMs(error);
    if (isRepeated) expect(next()).toBeGreaterThanOrEqual(250);
    else expect(next).toThrow(error);
  });

  it('is repeated five times if the server is at fault, and for ever if it is unavailable', () => {
    const [faults, unavailable] = [new Retries(), new Retries()];
    for (let n = 0; n < 5; n++) faults.nextMs(failure(500));
    for (let n = 0; n < 50; n++) unavailable.nextMs(failure(503));
    expect(faults.nextMs(failure(503))).toBeLessThanOrEqual(10_000);
    expect(() => faults.nextMs(failure(500))).toThrow('Failed.');
  });

  it('is repeated when the server asks', () => {
    expect(new Retries().nextMs(failure(429, { retryAfter: 30 }))).toBe(30_000);
  });
});

describe('withTimeout', () => {
  const pending = (signal: AbortSignal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

  it('returns the result or throws the error of the call, and leaves nothing behind', async () => {
    const outer = new AbortController().signal;
    const before = timers();
    expect(await withTimeout(() => Promise.resolve('result'), undefined, outer)).toBe('result');
    const error = failure(404);
    await expect(withTimeout(() => Promise.reject(error), undefined, outer)).rejects.toBe(error);

    expect(timers()).toBe(before);
    expect(getEventListeners(outer, 'abort')).toEqual([]);
  });

  it('fails as the network does when the time is over or the caller aborts', async () => {
    const networkFailure = { code: 'network_error', status: 0, cause: expect.objectContaining({}) };
    await expect(withTimeout(pending, 1)).rejects.toMatchObject(networkFailure);
    const outer = new AbortController();
    const call = withTimeout(pending, undefined, outer.signal);
    const before = timers();
    outer.abort();
    expect(timers()).toBe(before - 1);
    await expect(call).rejects.toMatchObject(networkFailure);
  });

  it('takes the time that the call asks for', async () => {
    const before = timers();
    const call = withTimeout((signal, limit) => {
      limit(60_000);
      limit(1);
      return pending(signal);
    });
    expect(timers()).toBe(before + 1);
    await expect(call).rejects.toMatchObject({ code: 'network_error' });
  });
});

describe('an error', () => {
  const problem = { type: 'about:blank', title: 'Conflict', status: 409, code: 'taken', detail: 'Taken.' };

  it('of a problem has its fields', () => {
    const errors = [{ pointer: '/name', code: 'taken', detail: 'Taken.' }];
    const full = { ...problem, errors, request_id: 'request', retry_after: 3 } as never;
    expect(problemError(full)).toMatchObject({
      ...{ name: 'ParleyError', message: 'Taken.', code: 'taken', status: 409, errors },
      ...{ requestId: 'request', retryAfter: 3, problem: full },
    });
  });

  it('has the fields of the headers', () => {
    const headers = new Headers({ 'X-Request-Id': 'header', 'Retry-After': '7' });
    const found = problemError({ ...problem, retry_after: 3 } as never, headers);
    expect(found).toMatchObject({ requestId: 'header', retryAfter: 7 });
    const dated = new Headers({ 'Retry-After': 'Sun, 29 Nov 2026 12:00:00 GMT' });
    expect(problemError(problem as never, dated)).toMatchObject({
      ...{ requestId: null, retryAfter: null, errors: [] },
    });
  });

  it('of a response that is no problem has its status', () => {
    const headers = { 'Retry-After': '0' };
    expect(responseError('Bad gateway', new Response('', { status: 502, headers }))).toMatchObject({
      ...{ code: 'unexpected_response', message: 'The server answered with status 502.' },
      ...{ status: 502, retryAfter: 0, problem: null, errors: [] },
    });
    expect(responseError(problem, new Response('', { status: 409 }))).toMatchObject({ code: 'taken' });
  });

  it('of the network has its cause', () => {
    const cause = new Error('reset');
    const error = networkError(cause);
    expect(error.cause).toBe(cause);
    expect(error).toMatchObject({
      ...{ code: 'network_error', message: 'The server could not be reached.', status: 0 },
      ...{ retryAfter: null, requestId: null },
    });
  });

  it.each([null, undefined, '', {}, { code: 'taken' }, { status: 409 }, { code: 1, status: 409 }])(
    'is not read from %j',
    (body) => expect(isProblem(body)).toBe(false),
  );
});

describe('event streams', () => {
  const ping = (id: number) => `id: ${id}\nevent: conversation.deleted\ndata: {"conversation_id":${id}}\n\n`;
  async function read(response: Response, signal = new AbortController().signal, onData?: () => void) {
    const ids: unknown[] = [];
    for await (const { id, body } of readEvents(response, signal, onData)) ids.push([id, body]);
    return ids;
  }
  const streamOf = (pieces: Uint8Array[]) =>
    new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await immediate();
          const piece = pieces.shift();
          if (piece) controller.enqueue(piece);
          else controller.close();
        },
      }),
    );

  it('are read from pieces cut anywhere, with either line end', async () => {
    const bytes = Buffer.from(
      `: hello\r\n\r\n${ping(1)}${ping(2).replaceAll('\n', '\r\n')}: é\n\n${ping(3)}`,
    );
    const expected = [1, 2, 3].map((id) => [String(id), { conversation_id: id }]);
    let calls = 0;
    const whole = await read(streamOf([bytes]), undefined, () => calls++);
    expect(whole).toEqual(expected);
    expect(calls).toBe(1);
    for (const size of [7, 64]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.subarray(n * size, (n + 1) * size),
      );
      expect(await read(streamOf(pieces))).toEqual(expected);
    }
  });

  it('without streaming bodies are read at their end', async () => {
    const response = { body: null, text: () => Promise.resolve(ping(1)) } as unknown as Response;
    expect(await read(response)).toEqual([['1', { conversation_id: 1 }]]);
  });

  it('with data that is no JSON fail as the network does', async () => {
    const broken = streamOf([Buffer.from('event: conversation.deleted\ndata: {\n\n')]);
    await expect(read(broken)).rejects.toMatchObject({ code: 'network_error' });
  });

  it('end when they are aborted, and release the body and the signal', async () => {
    const cancelled = jest.fn<() => void>();
    const body = new ReadableStream({ start: (c) => c.enqueue(Buffer.from(ping(1))), cancel: cancelled });
    const aborting = new AbortController();
    const ids: unknown[] = [];
    for await (const { id } of readEvents(new Response(body), aborting.signal)) {
      ids.push(id);
      aborting.abort();
    }
    expect(ids).toEqual(['1']);
    expect(cancelled).toHaveBeenCalledTimes(1);
    expect(getEventListeners(aborting.signal, 'abort')).toEqual([]);
  });
});

describe('stores and emitters', () => {
  class Counter extends Store<number> {
    readonly changes: string[] = [];
    put(value: number): void {
      this.set(value);
    }
    protected override observed(): void {
      this.changes.push('observed');
    }
    protected override unobserved(): void {
      this.changes.push('unobserved');
    }
  }

  it('notify of changes only, and a function subscribed twice twice', () => {
    const store = new Counter(1);
    const listener = jest.fn();
    const ends = [store.subscribe(listener), store.subscribe(listener)];
    store.put(1);
    expect(listener).not.toHaveBeenCalled();
    store.put(2);
    expect(listener).toHaveBeenCalledTimes(2);
    expect([store.getSnapshot(), store.getInitialSnapshot(), store.isObserved]).toEqual([2, 1, true]);
    for (const end of [ends[0]!, ...ends]) end();
    store.put(3);
    expect(listener).toHaveBeenCalledTimes(2);
    expect(store.isObserved).toBe(false);
    expect(store.changes).toEqual(['observed', 'unobserved']);
  });

  it('call listeners in order, also one that another one removes', () => {
    const emitter = new Emitter<[number]>();
    const calls: string[] = [];
    emitter.on((n) => {
      calls.push(`first ${n}`);
      end();
    });
    const end = emitter.on((n) => calls.push(`second ${n}`));
    emitter.emit(1);
    emitter.emit(2);
    expect(calls).toEqual(['first 1', 'second 1', 'first 2']);
  });
});

describe('the platform', () => {
  const V4 = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

  it.each([
    ['everything', globalThis.crypto],
    ['no randomUUID', { getRandomValues: (bytes: Uint8Array) => webcrypto.getRandomValues(bytes) }],
    ['no crypto', undefined],
  ])('makes different ids with %s', (_name, crypto) => {
    provide('crypto', crypto);
    const ids = Array.from({ length: 200 }, uuid);
    for (const id of ids) expect(id).toMatch(V4);
    expect(new Set(ids).size).toBe(200);
    // Each digit that is chosen at random varies.
    const digits = [...ids[0]!].map((_, n) => new Set(ids.map((id) => id[n])).size);
    expect(digits.filter((size) => size === 1)).toHaveLength(5);
  });

  it('listens to the page, or to its document for what the page does not hear', () => {
    const [page, document] = [new EventTarget(), new EventTarget()];
    provide('document', document);
    for (const name of ['addEventListener', 'removeEventListener'] as const)
      provide(name, page[name].bind(page));
    const heard: string[] = [];
    const types = ['online', 'resume', 'visibilitychange'];
    const ends = types.map((type) => onPageEvent(type, () => heard.push(type)));
    const all = () =>
      types.forEach((type) => [page, document].map((target) => target.dispatchEvent(new Event(type))));
    all();
    expect(heard).toEqual(types);
    ends.forEach((end) => end());
    all();
    expect(heard).toEqual(types);
  });

  it('listens to nothing outside of browsers', () => {
    for (const name of own.slice(2)) provide(name, undefined);
    expect(() => onPageEvent('online', () => undefined)()).not.toThrow();
    expect(() => onPageEvent('resume', () => undefined)()).not.toThrow();
  });
});

describe('a lock', () => {
  /** Locks of which the first is held by another tab until it is released. */
  function heldLocks(fail?: Error) {
    let release = () => undefined as void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const request = jest.fn(
      async (_name: string, { signal }: { signal?: AbortSignal }, task: (lock: object | null) => unknown) => {
        if (!signal) return task(null);
        const aborted = new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        );
        await Promise.race([held, aborted]);
        if (fail) throw fail;
        return task({});
      },
    );
    provide('navigator', { locks: { request } });
    return { release, request };
  }

  it('that is free, or does not exist, is not waited for', async () => {
    provide('navigator', undefined);
    expect(await withLock('name', () => Promise.resolve('without'))).toBe('without');
    const request = jest.fn((_name, _options, task: (lock: object) => unknown) => task({}));
    provide('navigator', { locks: { request } });
    expect(await withLock('name', () => Promise.resolve('result'))).toBe('result');
    expect(request.mock.calls.map(([name, options]) => [name, options])).toEqual([
      ['name', { ifAvailable: true }],
    ]);
  });

  it('that is held is waited for, and what its holder has stored', async () => {
    const { release } = heldLocks();
    const before = timers();
    const start = performance.now();
    const task = jest.fn(() => Promise.resolve('result'));
    const waiting = withLock('name', task);
    await immediate();
    expect(task).not.toHaveBeenCalled();
    release();
    expect(await waiting).toBe('result');
    expect(performance.now() - start).toBeGreaterThan(95);
    expect(timers()).toBe(before);
  });

  it('passes errors of the task and of the locks on, and leaves no timer', async () => {
    const before = timers();
    const { release } = heldLocks();
    release();
    const task = jest.fn(() => Promise.reject(new Error('task')));
    await expect(withLock('name', task)).rejects.toThrow('task');
    expect(task).toHaveBeenCalledTimes(1);
    heldLocks(new Error('locks')).release();
    await expect(withLock('name', task)).rejects.toThrow('locks');
    expect(task).toHaveBeenCalledTimes(1);
    expect(timers()).toBe(before);
  });

  it('that a frozen tab holds is waited for ten seconds', async () => {
    heldLocks();
    const start = performance.now();
    expect(await withLock('name', () => Promise.resolve('result'))).toBe('result');
    expect(performance.now() - start).toBeGreaterThan(9_900);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});
