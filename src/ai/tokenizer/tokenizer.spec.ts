import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { closeTokenizer, countTokens } from './tokenizer.js';

const SENTENCE = 'The quick brown fox jumps over the lazy dog. ';

afterAll(() => closeTokenizer());

const count = async (text: string) => (await countTokens([text]))[0]!;

/**
 * Measures the longest tick of the event loop during some work, in milliseconds: the minimum of three runs, because
 * other processes interfere.
 */
async function longestTurn(work: () => Promise<unknown>): Promise<number> {
  const turns: number[] = [];
  for (let i = 0; i < 3; i++) {
    await closeTokenizer();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await work();
    delay.disable();
    turns.push(delay.max / 1e6);
  }
  return Math.min(...turns);
}

describe('countTokens', () => {
  it.each([
    ['', 0],
    ['hello world', 2],
    ['<|endoftext|>', 7],
  ])('counts %j as tiktoken does: %i', async (text, tokens) => expect(await count(text)).toBe(tokens));

  it('counts bytes when the worker exits in the middle of a count', async () => {
    const { postMessage } = Worker.prototype;
    jest.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker, job) {
      postMessage.call(this, job);
      void this.terminate();
    });

    expect(await countTokens(['hello world', 'İ'])).toEqual([11, 2]);
    expect(await count('hello world')).toBe(2);
  });

  it('counts exactly while an idle worker ends', async () => {
    await count('hello world');
    const closed = closeTokenizer();

    expect(await count('hello world')).toBe(2);
    await closed;
  });

  it('counts long prose exactly', async () => {
    expect(await count(SENTENCE.repeat(2_000))).toBe(20_001);
  });

  it('counts each of many texts', async () => {
    const texts = Array.from({ length: 3_000 }, (_, n) => 'fox '.repeat(n).trim());

    expect(await countTokens([])).toEqual([]);
    expect(await countTokens(texts)).toEqual(texts.map((_, n) => n));
  });

  it('does not delay a short text by a long one', async () => {
    const done: string[] = [];
    const long = count(SENTENCE.repeat(20_000)).then(() => done.push('long'));
    const short = count('hello').then(() => done.push('short'));
    await Promise.all([long, short]);

    expect(done).toEqual(['short', 'long']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['loads its vocabulary', () => count('hello world')],
    ['counts 4 MiB of one text', () => count(SENTENCE.repeat(93_000))],
    ['counts 8 MiB of many texts', () => countTokens(Array<string>(800).fill('ab '.repeat(3_500)))],
  ])('blocks the event loop for at most 50 ms when it %s', async (_, work) => {
    expect(await longestTurn(work)).toBeLessThan(50);
  });

  it.each([
    ['letters', 'a', 12_500],
    ['emoji', '😀', 50_000],
    ['Chinese without spaces', '漢字仮名交', 120_000],
    ['spaces', ' ', 782],
    ['punctuation', '!?', 25_000],
    ['combining marks', '\u0301', 100_000],
    ['lone surrogates', '\ud83d', 0],
    ['special tokens', '<|im_start|>', 0],
  ])('counts 100,000 characters of %s quickly and approximately', async (_, unit, tokens) => {
    const text = unit.repeat(100_000 / unit.length);
    const start = performance.now();
    const counted = await count(text);
    const tookMs = performance.now() - start;

    expect(tookMs).toBeLessThan(2_000);
    if (tokens) expect(Math.abs(counted - tokens) / tokens).toBeLessThan(0.05);
  });
});
