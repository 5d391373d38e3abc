import { beforeAll, describe, expect, it } from '@jest/globals';
import { countTokens, loadTokenizer } from './tokenizer.js';

describe('countTokens', () => {
  it('says so when it has not been loaded', () => {
    expect(() => countTokens('x')).toThrow('loadTokenizer');
  });

  describe('once loaded', () => {
    beforeAll(() => loadTokenizer());

    it.each([
      ['', 0],
      ['hello world', 2],
      ['<|endoftext|>', 7],
    ])('counts %j as tiktoken does: %i', (text, count) => expect(countTokens(text)).toBe(count));

    it('counts long prose exactly', () => {
      const sentence = 'The quick brown fox jumps over the lazy dog. ';

      expect(countTokens(sentence.repeat(2_000))).toBe(20_001);
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
    ])('counts 100,000 characters of %s quickly, and nearly right', (_, unit, count) => {
      const text = unit.repeat(100_000 / unit.length);
      const start = performance.now();
      const counted = countTokens(text);
      const tookMs = performance.now() - start;

      expect(tookMs).toBeLessThan(2_000);
      if (count) expect(Math.abs(counted - count) / count).toBeLessThan(0.05);
    });
  });
});
