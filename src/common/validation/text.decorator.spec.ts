import { describe, expect, it } from '@jest/globals';
import { validate } from 'class-validator';
import { IsText, textError } from './text.decorator.js';

class Note {
  @IsText({ min: 2, max: 3, notBlank: true })
  text: unknown;
}

async function messagesFor(text: unknown): Promise<string[]> {
  const errors = await validate(Object.assign(new Note(), { text }));
  return errors.flatMap(({ constraints }) => Object.values(constraints ?? {}));
}

describe('IsText', () => {
  it.each(['ab', 'abc', 'a ', '😀😀😀', 'שלו', 'e\u0301e', '\ufffd\ufeff'])('accepts %j', async (text) => {
    expect(await messagesFor(text)).toEqual([]);
  });

  it.each([
    ['a', 'Must have at least 2 characters.'],
    ['😀', 'Must have at least 2 characters.'],
    ['abcd', 'Must have at most 3 characters.'],
    ['😀😀😀😀', 'Must have at most 3 characters.'],
    ['a\0', 'Must not contain the character NUL.'],
    ['a\ud83d', 'Must be well-formed Unicode, without lone surrogates.'],
    ['\ude00a', 'Must be well-formed Unicode, without lone surrogates.'],
    ['\ude00\ud83d', 'Must be well-formed Unicode, without lone surrogates.'],
    ['\u3000\n ', 'Must not be only white space.'],
    [12, 'Must be text.'],
    [['ab'], 'Must be text.'],
    [{ length: 2 }, 'Must be text.'],
    [null, 'Must be text.'],
    [undefined, 'Must be text.'],
  ])('refuses %j with a reason', async (text, message) => {
    expect(await messagesFor(text)).toEqual([message]);
  });

  it('accepts blank and empty text by default', () => {
    expect(textError('', { max: 1 })).toBeUndefined();
    expect(textError(' ', { max: 1 })).toBeUndefined();
    expect(textError('ab', { max: 1 })).toBe('Must have at most 1 character.');
  });
});
