import { afterAll, describe, expect, it } from '@jest/globals';
import { ImagePart } from '../../../ai/provider/prompt-content.js';
import { closeTokenizer } from '../../../ai/tokenizer/tokenizer.js';
import { TOKENS_PER_MESSAGE } from '../../../usage/estimated-usage.js';
import { TokenBudget } from './token-budget.js';

/** Ten tokens of five bytes each. */
const WORDS = ' word'.repeat(10);
const TOKENS = 10 + TOKENS_PER_MESSAGE;

afterAll(() => closeTokenizer());

const message = (content: string) => ({ role: 'user' as const, content });

describe('TokenBudget', () => {
  it.each([
    [TOKENS, true],
    [TOKENS - 1, false],
  ])('of %i tokens takes a message of 10 tokens: %s', async (tokens, fits) => {
    expect(await new TokenBudget(tokens).take(message(WORDS))).toBe(fits);
  });

  it('takes messages until their tokens exceed it', async () => {
    const budget = new TokenBudget(3 * TOKENS);
    const taken: boolean[] = [];
    for (let n = 0; n < 5; n++) taken.push(await budget.take(message(WORDS)));

    expect(taken).toEqual([true, true, true, false, false]);
  });

  it('counts the messages that fit by their bytes exactly later', async () => {
    const bytes = WORDS.length + TOKENS_PER_MESSAGE;
    const budget = new TokenBudget(bytes);
    const count = Math.floor(bytes / TOKENS);
    const taken: boolean[] = [];
    for (let n = 0; n <= count; n++) taken.push(await budget.take(message(WORDS)));

    expect(taken).toEqual([...Array<boolean>(count).fill(true), false]);
  });

  it('takes nothing of what does not fit', async () => {
    const budget = new TokenBudget(TOKENS);

    expect(await budget.take(message(WORDS.repeat(2)))).toBe(false);
    expect(await budget.take(message(WORDS))).toBe(true);
  });

  it('counts images by their size', async () => {
    const source = { name: 'a.png', width: 512, height: 512, isCurrent: true };
    const image = new ImagePart({ url: `data:${'x'.repeat(10_000)}` }, source);

    expect(await new TokenBudget(255 + TOKENS_PER_MESSAGE).takePart(image)).toBe(true);
    expect(await new TokenBudget(254 + TOKENS_PER_MESSAGE).takePart(image)).toBe(false);
  });

  it('rules out text whose tokens would each be longer than any', () => {
    const budget = new TokenBudget(10);

    expect(budget.mayFit(1280)).toBe(true);
    expect(budget.mayFit(1281)).toBe(false);
  });
});
