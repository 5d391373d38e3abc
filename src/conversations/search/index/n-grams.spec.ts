import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldText } from '../../../common/text/fold-text.js';
import { foldPieces } from '../../../common/text/folded-pieces.js';
import { BUCKETS, bucketsOf, NGramReader } from './n-grams.js';

function nGramsOf(text: string): Set<number> {
  const nGrams = new Set<number>();
  const reader = new NGramReader((bucket) => nGrams.add(bucket));
  for (const { folded } of foldPieces(text)) reader.read(folded);
  return nGrams;
}

const texts = fc.string({ unit: 'binary', maxLength: 60 });
const queries = fc.string({ unit: 'binary', minLength: 1, maxLength: 30 });

describe('the n-grams of a text', () => {
  it('include those by which any part of it is looked for', () => {
    fc.assert(
      fc.property(texts, queries, texts, (before, query, after) => {
        const text = before + query + after;
        const key = foldText(query);
        fc.pre(foldText(text).includes(key));
        const nGrams = nGramsOf(text);
        expect(bucketsOf(key).filter((bucket) => !nGrams.has(bucket))).toEqual([]);
      }),
    );
  });

  it('do not go on from one text into the next', () => {
    const nGrams = new Set<number>();
    const reader = new NGramReader((bucket, length) => length === 3 && nGrams.add(bucket));
    for (const text of ['ab', 'cd']) {
      reader.begin();
      reader.read(text);
    }

    expect(nGrams.size).toBe(0);
  });
});

describe('the buckets of a query', () => {
  it('are few, each once, and in range', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (query) => {
        const buckets = bucketsOf(query);
        expect(buckets.length).toBeGreaterThan(0);
        expect(buckets.length).toBeLessThanOrEqual(8);
        expect(new Set(buckets).size).toBe(buckets.length);
        expect(buckets.every((bucket) => bucket >= 0 && bucket < BUCKETS)).toBe(true);
      }),
    );
  });

  it('come from all over it, the longest n-grams first', () => {
    const long = 'a quick brown fox jumps over the lazy dog';
    const nGramAt = (start: number) => bucketsOf(long.slice(start, start + 3))[0];

    expect(bucketsOf(long)).toEqual([0, 4, 9, 14, 19, 24, 29, 34].map(nGramAt));
    expect(bucketsOf('中文')).toEqual(expect.arrayContaining([...bucketsOf('中'), ...bucketsOf('文')]));
    expect(bucketsOf('中文')).toHaveLength(3);
    expect(bucketsOf('q')).toEqual([113]);
  });
});
