import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PassThrough } from 'node:stream';
import type { EgressResponse } from '../egress/egress-fetch.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { CompletionStream } from './completion-stream.js';
import { ReadCoalescer } from './read-coalescer.js';
import { Watchdog } from './watchdog.js';

const IDLE_SECONDS = 30;

describe('CompletionStream', () => {
  let body: PassThrough;
  let watchdog: Watchdog;
  let stream: CompletionStream;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    body = new PassThrough({ highWaterMark: 1 });
    watchdog = new Watchdog(new AbortController().signal, 600);
    watchdog.start();
    const errors = new ProviderErrorFactory({ apiKey: '', modelUrl: 'https://provider.example.com/v1' });
    const coalescer = new ReadCoalescer();
    const response = { body } as unknown as EgressResponse;
    stream = new CompletionStream(response, watchdog, IDLE_SECONDS, errors, coalescer);
  });
  afterEach(() => {
    watchdog.stop();
    body.destroy();
    jest.useRealTimers();
  });

  const immediate = () => new Promise((resolve) => setImmediate(resolve));
  const event = (chunk: object) => `data: ${JSON.stringify(chunk)}\n\n`;
  const text = (content: string) => event({ choices: [{ delta: { content } }] });
  const FINISH = event({ choices: [{ delta: {}, finish_reason: 'stop' }] });
  const DONE = 'data: [DONE]\n\n';
  const receive = async (bytes: string) => {
    body.write(bytes);
    await immediate();
  };
  /** Receives bytes, which the coalescer's next round reads. */
  const read = async (bytes: string) => {
    await receive(bytes);
    jest.advanceTimersByTime(50);
    await immediate();
  };

  it('pauses the body above 256 KiB of undelivered text, until it is read', async () => {
    await read(text('x'.repeat(256 * 1024)));
    expect(body.isPaused()).toBe(false);
    await read(text('y'));
    expect(body.isPaused()).toBe(true);

    expect((await stream.next()).value?.content).toHaveLength(256 * 1024 + 1);
    expect(body.isPaused()).toBe(false);
  });

  it('reads without waiting for its turn above 64 KiB', async () => {
    await read(text('a'));
    await stream.next();
    // The turn of later bytes is a moment after these.
    await receive(text('b'));
    await stream.next();
    const settled = jest.fn();
    void stream.next().then(settled);
    await receive(text('x'.repeat(32 * 1024)));
    await receive(text('x'.repeat(31 * 1024)));
    expect(settled).not.toHaveBeenCalled();
    await receive(text('x'.repeat(1024)));

    expect(settled).toHaveBeenCalledTimes(1);
  });

  it('ends two seconds after a finish reason without [DONE]', async () => {
    await read(text('a') + FINISH);
    await stream.next();
    const end = stream.next();
    jest.advanceTimersByTime(1_900);
    expect(watchdog.signal.aborted).toBe(false);
    jest.advanceTimersByTime(200);

    expect(watchdog.signal.aborted).toBe(true);
    body.destroy(new Error('aborted'));
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it('leaves the connection open for a second after [DONE]', async () => {
    await read(text('a'));
    await stream.next();
    await read(DONE);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    jest.advanceTimersByTime(900);
    expect(watchdog.signal.aborted).toBe(false);
    jest.advanceTimersByTime(200);

    expect(watchdog.signal.aborted).toBe(true);
  });

  it('keeps the connection if the body ends soon after [DONE]', async () => {
    await read(text('a'));
    await stream.next();
    await read(DONE);
    await stream.next();
    body.end();
    await immediate();
    jest.advanceTimersByTime(10_000);

    expect(watchdog.signal.aborted).toBe(false);
  });

  it('closes the connection if anything follows [DONE]', async () => {
    await read(text('a'));
    await stream.next();
    await read(DONE);
    await stream.next();
    await read(text('b'));

    expect(watchdog.signal.aborted).toBe(true);
  });

  it('fails after the idle time without text', async () => {
    await read(text('a'));
    await stream.next();
    const next = stream.next();
    jest.advanceTimersByTime(IDLE_SECONDS * 1000 - 100);
    expect(watchdog.signal.aborted).toBe(false);
    jest.advanceTimersByTime(200);
    body.destroy(new Error('aborted'));

    await expect(next).rejects.toMatchObject({
      code: 'upstream_timeout',
      detail: 'The provider sent nothing for 30 seconds.',
    });
  });
});
