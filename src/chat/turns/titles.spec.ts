import { describe, expect, it } from '@jest/globals';
import { titleFromText } from './titles.js';

const TECHNOLOGIST = '👩‍💻';

describe('a title from a message', () => {
  it.each<[string, string | null]>([
    ['Hello there', 'Hello there'],
    ['a\n\tb\u0007c\u2028d', 'a b c d'],
    ['\u202eevil\u202c \u2066left\u2069', 'evil left'],
    [`${TECHNOLOGIST} at work`, `${TECHNOLOGIST} at work`],
    [TECHNOLOGIST.repeat(25), `${TECHNOLOGIST.repeat(20)}…`],
    [`${'e\u0301'.repeat(30)}x`, `${'e\u0301'.repeat(30)}…`],
    [`${'word '.repeat(15)}`, `${'word '.repeat(11)}word…`],
    ['x'.repeat(61), `${'x'.repeat(60)}…`],
    ['\u200b\u200d', null],
    ['\u2800 \u3164', null],
    ['\u202e', null],
    ['\u0301', null],
    [`${'\u200b'.repeat(70)}hello`, null],
  ])('of %j is %j', (text, title) => {
    expect(titleFromText(text)).toBe(title);
  });
});
