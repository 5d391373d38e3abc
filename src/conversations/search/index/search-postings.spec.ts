import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PostingRows, intersect, packAscending, unpackAscending } from './search-postings.js';

const MOST = 3000;

/** Positions in a segment of some size: dense, sparse, or clustered at its beginning. */
const segment = fc.integer({ min: 1, max: MOST }).chain((size) => {
  const position = fc.oneof(fc.nat({ max: size - 1 }), fc.nat({ max: Math.min(size - 1, 40) }));
  const positions = fc.uniqueArray(position, { maxLength: size }).map((some) => some.sort((a, b) => a - b));
  const dense = fc.constant(all(size));
  const most = fc.nat({ max: 9 }).map((left) => all(size).filter((at) => at % 10 !== left));
  const row = fc.oneof(positions, dense, most);
  return fc.record({ size: fc.constant(size), rows: fc.array(row, { minLength: 1, maxLength: 4 }) });
});

const all = (size: number) => [...Array(size).keys()];

function pack(rows: number[][], size: number): Map<number, Uint8Array> {
  const postings = new PostingRows(rows.length, MOST);
  for (let position = 0; position < size; position++) {
    for (const [bucket, row] of rows.entries()) if (row.includes(position)) postings.add(bucket, position);
  }
  return new Map(postings.packed(size));
}

describe('the postings of a segment', () => {
  it('contain the added positions of every bucket', () => {
    fc.assert(
      fc.property(segment, ({ size, rows }) => {
        const packed = pack(rows, size);
        for (const [bucket, row] of rows.entries()) {
          expect(packed.has(bucket)).toBe(row.length > 0);
          if (row.length > 0) expect(intersect([packed.get(bucket)!], size)).toEqual(row);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('are at most as long as a bitmap or 2 bytes per position', () => {
    fc.assert(
      fc.property(segment, ({ size, rows }) => {
        for (const [bucket, postings] of pack(rows, size)) {
          expect(postings.length).toBeLessThanOrEqual(
            Math.min(Math.ceil(size / 8), 2 * rows[bucket]!.length),
          );
        }
      }),
      { numRuns: 50 },
    );
  });

  it('intersect in every mix of encodings', () => {
    fc.assert(
      fc.property(segment, ({ size, rows }) => {
        const filled = rows.filter((row) => row.length > 0);
        fc.pre(filled.length > 0);
        const common = filled[0]!.filter((position) => filled.every((row) => row.includes(position)));
        expect(intersect([...pack(filled, size).values()], size)).toEqual(common);
      }),
      { numRuns: 50 },
    );
  });
});

describe('ascending numbers', () => {
  it('are unpacked unchanged, up to the largest safe integer', () => {
    const numbers = fc
      .uniqueArray(fc.oneof(fc.nat(1000), fc.maxSafeNat()))
      .map((some) => some.sort((a, b) => a - b));
    fc.assert(fc.property(numbers, (some) => expect(unpackAscending(packAscending(some))).toEqual(some)));
  });

  it('take about one byte each if dense', () => {
    const numbers = Array.from({ length: 1000 }, (_, index) => 9_000_000_000 + 3 * index);

    expect(packAscending(numbers).length).toBeLessThan(1010);
  });
});
