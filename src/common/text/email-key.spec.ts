import { describe, expect, it } from '@jest/globals';
import { emailKey } from './email-key.js';

describe('emailKey', () => {
  it.each([
    ['ada@example.com', ['ADA@Example.COM', 'ada@example.com.', '"ada"@example.com', '"a\\da"@example.com']],
    [
      'ada@example.com',
      ['ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ', 'ada﹫example.com', 'ada@example。com', 'ada@example｡com'],
    ],
    [
      'ada@example.com',
      ['a\u200bda@example.com', 'ada@exam\u00adple.com', '\ufeffada@example.com', 'ada\u2800@example.com'],
    ],
    [
      'ada@example.com',
      ['\u202aada@example.com\u202c', 'a\u034fda@exa\u3164mple.com', 'ada\ufe0f@example.com'],
    ],
    ['i@example.com', ['I@example.com', 'İ@example.com', 'i\u0307@example.com', 'ı@EXAMPLE.COM']],
    ['ada@gmail.com', ['ada@GMAİL.com', 'ada@gma\u0131l.com'.replace('\u0131', 'i\u0307')]],
    ['josé@example.com', ['jose\u0301@example.com', 'JOSÉ@example.com']],
    ['привет@example.com', ['ПРИВЕТ@example.com']],
    ['οδοσ@example.com', ['ΟΔΟΣ@example.com', 'οδος@example.com']],
    [
      'ada@xn--bcher-kva.de',
      ['ada@bücher.de', 'ada@BÜCHER.de', 'ada@bu\u0308cher.de', 'ada@XN--BCHER-KVA.de'],
    ],
    ['ada@xn--fa-hia.de', ['ada@faß.de', 'ada@FAẞ.de', 'ada@XN--FA-HIA.de']],
    ['ada@xn--nxasmm1c.com', ['ada@βόλος.com', 'ada@ΒΌΛΟΣ.com']],
    ['用户@xn--r8jz45g.jp', ['用户@例え.jp', '用户@xn--r8jz45g.jp']],
  ])('returns %s for all its spellings', (key, spellings) => {
    expect(spellings.map(emailKey)).toEqual(spellings.map(() => key));
  });

  it.each([
    ['ada@example.com', 'adá@example.com'],
    ['ada@fass.de', 'ada@faß.de'],
    ['ada@example.com', 'ada+x@example.com'],
    ['ada@example.com', 'a.da@example.com'],
    ['"a b"@example.com', '"ab"@example.com'],
    ['ada@example.com', 'аda@example.com'], // a homograph in Cyrillic
  ])('distinguishes %s and %s', (one, other) => {
    expect(emailKey(one)).not.toBe(emailKey(other));
    expect([emailKey(one), emailKey(other)]).not.toContain(null);
  });

  it('takes 255 characters', () => {
    const longest = `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}eee.com`;

    expect([longest.length, emailKey(longest)]).toEqual([255, longest]);
  });

  it.each([
    '',
    '@',
    'ada',
    '@example.com',
    'ada@',
    'ada@localhost',
    'a@b@example.com',
    'ada@example.com/x',
    'ada@example.com:25',
    'ada@example.com?x',
    'ada@example.com#x',
    'ada@ex%61mple.com',
    'ada@0x7f.1',
    'ada@127.0.0.1',
    'ada@[127.0.0.1]',
    'ada@a_b.com',
    'ada@xn--a.com',
    'ada@example..com',
    'ada@example.com..',
    '.ada@example.com',
    'a..da@example.com',
    'ada@exa mple.com',
    'ada@example.com\n',
    '\u200b@example.com',
    'ada@\u2800.com',
    `${'a'.repeat(65)}@example.com`,
    `${'ä'.repeat(33)}@example.com`,
    `ada@${'b'.repeat(64)}.com`,
    `${'a'.repeat(64)}@${`${'b'.repeat(60)}.`.repeat(3)}eeee.com`,
  ])('refuses %j', (text) => {
    expect(emailKey(text)).toBeNull();
  });
});
