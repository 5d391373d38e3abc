import { describe, expect, it } from '@jest/globals';
import { gapsBetween, hasGaps, rangesOf } from './segment-ranges.js';
import type { Segment } from './segment-store.js';

const segment = (firstMessageId: number, lastMessageId: number, more: Partial<Segment> = {}) =>
  ({ id: firstMessageId, firstMessageId, lastMessageId, ready: true, tombstoned: false, ...more }) as Segment;

/** @returns each range as start, end and the first ids of its segments */
const ranges = (segments: Segment[], end: number) =>
  [...rangesOf(segments, end)].map((range) => [range.start, range.end, range.segments.map(({ id }) => id)]);

describe('rangesOf', () => {
  it('covers ids without a segment by one range, and no ids by none', () => {
    expect(ranges([], 10)).toEqual([[0, 10, []]]);
    expect(ranges([], 0)).toEqual([]);
  });

  it('covers the ids between, before and after segments', () => {
    expect(ranges([segment(10, 19), segment(30, 39)], 50)).toEqual([
      [40, 50, []],
      [30, 40, [30]],
      [20, 30, []],
      [10, 20, [10]],
      [0, 10, []],
    ]);
  });

  it('ends within a segment, and leaves out those behind its end', () => {
    const segments = [segment(0, 9), segment(10, 19), segment(20, 29)];

    expect(ranges(segments, 15)).toEqual([
      [10, 15, [10]],
      [0, 10, [0]],
    ]);
    expect(ranges(segments, 10)).toEqual([[0, 10, [0]]]);
    expect(ranges(segments, 11)[0]).toEqual([10, 11, [10]]);
  });

  it('scans unfinished segments, but not tombstoned ones', () => {
    expect(ranges([segment(0, 9, { ready: false }), segment(10, 19, { tombstoned: true })], 20)).toEqual([
      [10, 20, [10]],
      [0, 10, []],
    ]);
  });

  it('takes twice as many adjacent segments each time, up to 16', () => {
    const segments = Array.from({ length: 60 }, (_, n) => segment(10 * n, 10 * n + 9));

    expect(ranges(segments, 600).map(([, , ids]) => (ids as number[]).length)).toEqual([
      1, 2, 4, 8, 16, 16, 13,
    ]);
  });
});

describe('gapsBetween', () => {
  it.each<[segments: Segment[], gaps: unknown[]]>([
    [[], [{ first: 0, last: null }]],
    [[segment(0, 9)], [{ first: 10, last: null }]],
    [
      [segment(1, 9), segment(10, 19), segment(30, 39)],
      [
        { first: 0, last: 0 },
        { first: 20, last: 29 },
        { first: 40, last: null },
      ],
    ],
  ])('of %j are %j', (segments, gaps) => expect([...gapsBetween(segments)]).toEqual(gaps));
});

describe('hasGaps', () => {
  it.each<[segments: Segment[], expected: boolean]>([
    [[], false],
    [[segment(0, 9), segment(10, 19)], false],
    [[segment(1, 9)], true],
    [[segment(0, 9), segment(11, 19)], true],
    [[segment(0, 9, { ready: false })], true],
    [[segment(0, 9, { tombstoned: true })], true],
  ])('of %j is %s', (segments, expected) => expect(hasGaps(segments)).toBe(expected));
});
