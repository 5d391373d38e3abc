import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cursorText, parseCursor } from './cursor.js';

const size = fc.integer({ min: 0, max: 999_999_999 });
const cursor = fc.record({
  messageId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  attempt: size,
  content: size,
  reasoning: size,
  done: fc.boolean(),
});

describe('cursor', () => {
  it('is parsed to the values that were formatted', () => {
    fc.assert(fc.property(cursor, (place) => expect(parseCursor(cursorText(place))).toEqual(place)));
  });

  it('is null for malformed text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = parseCursor(text);
        expect(read === null || cursorText(read) === text || /^0\d|\.0\d/.test(text)).toBe(true);
      }),
    );
    const none = [
      undefined,
      '',
      '1',
      '1.1.0',
      '1.1.0.0.',
      '1.1.0.0.DONE',
      ' 1.1.0.0',
      '1.1.0.0\n',
      '-1.1.0.0',
      '1.1.0.1e9',
    ];
    expect(none.map(parseCursor)).toEqual(none.map(() => null));
  });
});
