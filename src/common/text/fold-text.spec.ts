import { describe, expect, it } from '@jest/globals';
import { foldText } from './fold-text.js';

describe('foldText', () => {
  it.each([
    ['ADA', 'ada'],
    ['ПРИВЕТ', 'привет'],
    ['ΟΔΟΣ', 'οδος'],
    ['οδοσ', 'οδος'],
    ['STRASSE', 'straße'],
    ['STRAẞE', 'straße'],
    ['İstanbul', 'istanbul'],
    ['ıSPARTA', 'Isparta'],
    ['cafe\u0301', 'CAF\u00c9'],
    ['ａｄａ １２', 'Ada 12'],
    ['ｶﾞｷﾞ', 'ガギ'],
    ['\u3131\u314f', '가'],
    ['ﬁn', 'FIN'],
    ['a\u200bd\u00ada', 'ada'],
    ['ad\u2800a', 'ada'],
    ['❤️', '❤'],
    ['ⴀ', 'Ⴀ'],
    ['ꭰ', 'Ꭰ'],
    ['𐐀', '𐐨'],
  ])('folds %s and %s to the same text', (one, other) => {
    expect(foldText(one)).toBe(foldText(other));
  });

  it.each([
    ['ada', 'adá'],
    ['a', 'å'],
    ['王小明', '王小红'],
    ['か', 'が'],
    ['か', 'カ'],
    ['а', 'a'], // Cyrillic and Latin
    ['ada', 'ada '],
  ])('folds %s and %s to different texts', (one, other) => {
    expect(foldText(one)).not.toBe(foldText(other));
  });

  it('ignores case and composition of every character, and is idempotent', () => {
    const apart: string[] = [];
    for (let codePoint = 0; codePoint < 0x20000; codePoint++) {
      const character = String.fromCodePoint(codePoint);
      if (!character.isWellFormed()) continue;
      const folded = foldText(character);
      const forms = [character.toLowerCase(), character.toUpperCase(), character.normalize('NFD'), folded];
      if (forms.some((form) => foldText(form) !== folded)) apart.push(codePoint.toString(16));
    }
    expect(apart).toEqual([]);
  });
});
