import { expect, it } from '@jest/globals';
import { groupByStatement, MAX_LENGTH } from './store-in-pieces.js';

const textOf = (length: number) => ({ text: 'x'.repeat(length) });

it.each([
  ['nothing', [], []],
  ['short chunks', [1, 2, 3], [3]],
  ['up to the longest statement', [MAX_LENGTH - 1, 1, 1], [2, 1]],
  ['a chunk that is longer than a statement', [1, MAX_LENGTH + 1, 1], [1, 1, 1]],
  ['more rows than a statement', Array<number>(2001).fill(1), [1000, 1000, 1]],
])('groups %s by statement, in order', (_, lengths, sizes) => {
  const chunks = lengths.map(textOf);

  const groups = [...groupByStatement(chunks)];

  expect(groups.map((group) => group.length)).toEqual(sizes);
  expect(groups.flat()).toEqual(chunks);
});
