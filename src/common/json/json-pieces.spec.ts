import { describe, expect, it } from '@jest/globals';
import { jsonPieces } from './json-pieces.js';

const LONG = 200_000;

describe('jsonPieces', () => {
  it.each<[string, unknown]>([
    ['what is short', { a: 'b', c: [1, null, true], d: undefined }],
    ['long text', 'x'.repeat(LONG)],
    ['long text of controls', '\u0001'.repeat(LONG)],
    ['characters of two code units, wherever it is cut', `x${'😀'.repeat(LONG)}`],
    ['lone surrogates', '\ud83d'.repeat(LONG)],
    [
      'long text in what is nested',
      { id: 1, none: undefined, messages: [{ content: 'é'.repeat(LONG), n: null }, {}] },
    ],
    ['a long list of what is short', Array.from({ length: 50_000 }, (_, id) => ({ id, name: `n "${id}"` }))],
  ])('are the JSON of %s', (_, value) => {
    const pieces = [...jsonPieces(value)];

    expect(pieces.join('') === JSON.stringify(value)).toBe(true);
    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(400_000);
  });
});
