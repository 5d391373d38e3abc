import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldText } from './fold-text.js';
import { foldPieces, sourceIndex } from './folded-pieces.js';
import { cpuMs } from '../../../test/support/cpu-time.js';

const foldOf = (text: string) => [...foldPieces(text)].map(({ folded }) => folded).join('');
const indexOf = (text: string, q: string) =>
  sourceIndex([...foldPieces(text)], foldOf(text).indexOf(foldText(q)));

describe('foldPieces', () => {
  const unit = fc.constantFrom(
    ...[
      'a',
      'É',
      'e\u0301',
      'ß',
      'İ',
      'I\u0307',
      'Σ',
      '中',
      'が',
      'か\u3099',
      'ｶﾞ',
      '한',
      '\u1112\u1161\u11ab',
    ],
    ...['👩‍💻', '❤️', '１', 'ﬁ', '\u200d', '\u00ad', ' ', 'привет', '🏳️‍🌈'],
  );

  it('joins to the folded text', () => {
    fc.assert(
      fc.property(fc.string({ unit, minLength: 300, maxLength: 1500 }), (text) => {
        expect(foldOf(text)).toBe(foldText(text));
      }),
      { numRuns: 50 },
    );
  });

  it('takes linear time for text of combining marks', () => {
    expect(cpuMs(() => foldOf('\u0301\u0316'.repeat(500_000)))).toBeLessThan(5000);
  });

  it.each([
    ['ﬁ'.repeat(100), 'needle'],
    ['e\u0301'.repeat(700), 'NEEDLE'],
    ['\u00ad'.repeat(600), 'needle'],
    ['ß'.repeat(600), 'nee\u200bdle'],
    ['👩‍💻'.repeat(300), 'needle'],
    ['\ufdfa'.repeat(50), 'ｎｅｅｄｌｅ'],
    ['', 'needle'],
  ])('maps a match to its index in the source, after %j', (before, q) => {
    expect(indexOf(`${before}Needle and more`, q)).toBe(before.length);
  });
});
