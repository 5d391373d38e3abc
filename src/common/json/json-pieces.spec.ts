import { describe, expect, it } from '@jest/globals';
import { jsonPieces } from './json-pieces.js';

const LONG = 200_000;

describe('jsonPieces', () => {
  it.each<[string, unknown]>([
    ['a short object', { a: 'b', c: [1, null, true], d: undefined }],
    ['long text', 'x'.repeat(LONG)],
    ['long text of control characters', '\u0001'.repeat(LONG)],
    ['surrogate pairs at every split', `x${'😀'.repeat(LONG)}`],
    ['one surrogate pair, at a split', `${'x'.repeat(65_535)}😀${'x'.repeat(LONG)}`],
    ['lone surrogates', '\ud83d'.repeat(LONG)],
    [
      'long text in a nested object',
      { id: 1, none: undefined, messages: [{ content: 'é'.repeat(LONG), n: null }, {}] },
    ],
    ['a long list of short objects', Array.from({ length: 50_000 }, (_, id) => ({ id, name: `n "${id}"` }))],
  ])('joins to the JSON of %s', (_, value) => {
    const pieces = [...jsonPieces(value)];

    expect(pieces.join('') === JSON.stringify(value)).toBe(true);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(400_000);
  });
});
