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
  it('include the buckets of every substring query', () => {
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

  it('do not span two texts', () => {
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
  it('are 1 to 8, distinct and in range', () => {
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

  it('are spread over the query and prefer the longest n-grams', () => {
    const long = 'a quick brown fox jumps over the lazy dog';
    const nGramAt = (start: number) => bucketsOf(long.slice(start, start + 3))[0];

    expect(bucketsOf(long)).toEqual([0, 4, 9, 14, 19, 24, 29, 34].map(nGramAt));
    expect(bucketsOf('中文')).toEqual(expect.arrayContaining([...bucketsOf('中'), ...bucketsOf('文')]));
    expect(bucketsOf('中文')).toHaveLength(3);
    expect(bucketsOf('q')).toEqual([113]);
  });
});
