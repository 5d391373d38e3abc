import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Utf16Joiner } from './utf16-joiner.js';

describe('Utf16Joiner', () => {
  it('joins well-formed text for any split', () => {
    const wellFormed = fc
      .string({ unit: 'binary' })
      .filter((text) => text.isWellFormed() && !text.includes('\0'));
    fc.assert(
      fc.property(wellFormed, fc.array(fc.tuple(fc.nat(), fc.boolean())), (text, cuts) => {
        const reply = new Utf16Joiner();
        let taken = '';
        let start = 0;
        for (const [cut, take] of cuts) {
          const end = Math.min(text.length, start + (cut % 3));
          reply.add(text.slice(start, end));
          start = end;
          if (take) taken += reply.take(false);
        }
        reply.add(text.slice(start));
        expect(taken + reply.take(true)).toBe(text);
      }),
    );
  });

  it('never returns ill-formed text or a NUL', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (deltas) => {
        const reply = new Utf16Joiner();
        const taken = deltas.map((delta) => {
          reply.add(`${delta}\0\ud83d`);
          return reply.take(false);
        });
        for (const text of [...taken, reply.take(true)]) {
          expect(text.isWellFormed() && !text.includes('\0')).toBe(true);
        }
      }),
    );
  });

  it('replaces half a pair by U+FFFD if the other half does not follow', () => {
    const reply = new Utf16Joiner();
    reply.add('a\ud83d');

    expect(reply.take(false)).toBe('a');
    expect(reply.take(true)).toBe('\ufffd');
    expect(reply.take(true)).toBe('');
  });

  it('drains the text once and unchanged', () => {
    const joiner = new Utf16Joiner();
    joiner.add('a\0\ud83d');

    expect(joiner.drain()).toBe('a\0\ud83d');
    expect(joiner.drain()).toBe('');
    expect(joiner.take(true)).toBe('');
  });
});
