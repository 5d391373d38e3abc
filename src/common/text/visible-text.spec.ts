import { describe, expect, it } from '@jest/globals';
import { isVisible, stripBidiControls } from './visible-text.js';

describe('isVisible', () => {
  it.each([
    ['the empty string', ''],
    ['white space', ' \t\n\u00a0\u2003\u3000\u0085'],
    ['line and paragraph separators', '\u2028\u2029'],
    ['control characters', '\u0007\u001b\u009f'],
    ['zero-width spaces and joiners', '\u200b\u200c\u200d\u2060\ufeff'],
    ['a soft hyphen', '\u00ad'],
    ['directional marks and overrides', '\u200e\u200f\u061c\u202a\u202e\u2066\u2069'],
    ['variation selectors', '\ufe0f\ufe00\u{e0100}\u180b'],
    ['tag characters', '\u{e0001}\u{e0041}\u{e007f}'],
    ['Hangul fillers', '\u115f\u1160\u3164\uffa0'],
    ['the empty Braille cell', '\u2800'],
    ['the musical null notehead', '\u{1d159}'],
    ['invisible operators', '\u2061\u2062\u2063\u2064'],
    ['combining marks alone', '\u0301\u0489\u20dd\u034f'],
    ['annotation controls', '\ufff9\ufffa\ufffb'],
    ['Khmer inherent vowels', '\u17b4\u17b5'],
    ['noncharacters', '\ufdd0\uffff\u{1fffe}'],
  ])('is false of %s', (_, text) => {
    expect(isVisible(text)).toBe(false);
  });

  it.each([
    'a',
    '1',
    '.',
    '-',
    'é',
    'e\u0301',
    '中',
    'ア',
    '한',
    'שלום',
    'ا',
    'न',
    '😀',
    '👩‍💻',
    '❤️',
    '#️⃣',
    '🏳️‍🌈',
    '⠁',
    '\ufffd',
  ])('is true of %j, with and without surrounding blanks', (text) => {
    expect(isVisible(text)).toBe(true);
    expect(isVisible(`\u200b\u2800 ${text}\u202e`)).toBe(true);
  });
});

describe('stripBidiControls', () => {
  it('removes directional controls, and nothing else', () => {
    expect(stripBidiControls('\u202aa\u202bb\u202cc\u202dd\u202ee\u2066f\u2067g\u2068h\u2069')).toBe(
      'abcdefgh',
    );
    const kept = 'שלום\u200f (a)\u200e 👩‍💻\ufe0f \u200b\u061c';
    expect(stripBidiControls(kept)).toBe(kept);
  });
});
