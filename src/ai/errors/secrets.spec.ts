import { describe, expect, it } from '@jest/globals';
import { maskSecrets } from './secrets.js';

const KEY = 'sEcReT/key+with=signs-0123456789';

describe('maskSecrets', () => {
  it.each([
    ['plain', KEY],
    ['in JSON', JSON.stringify({ key: KEY })],
    ['with escaped slashes', KEY.replace('/', '\\/')],
    [
      'with JSON escapes',
      [...KEY].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
    ],
    ['percent-encoded', encodeURIComponent(KEY)],
    ['percent-encoded in part', KEY.replace('/', '%2f')],
    ['percent-encoded throughout', [...KEY].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')],
    ['by its start', `${KEY.slice(0, 8)}…`],
    ['by its end', `…${KEY.slice(-8)}`],
    ['in two parts', `${KEY.slice(0, 12)}*****${KEY.slice(-10)}`],
    ['in upper case', KEY.toUpperCase()],
    ['percent-encoded twice', encodeURIComponent(encodeURIComponent(KEY))],
    ['percent-encoded in lower case', encodeURIComponent(KEY).replace(/%../g, (code) => code.toLowerCase())],
    ['with JavaScript escapes', [...KEY].map((c) => `\\x${c.charCodeAt(0).toString(16)}`).join('')],
    ['with braced escapes', [...KEY].map((c) => `\\u{${c.charCodeAt(0).toString(16)}}`).join('')],
    ['in JSON within JSON', JSON.stringify(JSON.stringify({ key: KEY.replaceAll('/', '\\u002f') }))],
    ['with HTML entities', KEY.replace('/', '&sol;').replace('+', '&#43;').replace('=', '&#x3D;')],
    ['in HTML entities throughout', [...KEY].map((c) => `&#x${c.charCodeAt(0).toString(16)};`).join('')],
  ])('masks the key %s', (_, echo) => {
    const masked = maskSecrets(`Wrong key: ${echo}.`, KEY);

    expect(masked).toMatch(/^Wrong key: /);
    expect(masked).toContain('***');
    expect(masked).not.toMatch(/sEcReT|%73|u0073|23456789/i);
  });

  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const hex = (text: string) => Buffer.from(text).toString('hex');

  it.each<[string, string]>([
    ['base64', base64(KEY)],
    ['base64 without padding', base64(KEY).replaceAll('=', '')],
    ['base64url', Buffer.from(KEY).toString('base64url')],
    ['base64, percent-encoded', encodeURIComponent(base64(KEY))],
    ['base64 in lines', base64(KEY).replace(/.{12}/g, '$&\r\n')],
    ['base64 of a header', base64(`Bearer ${KEY}`)],
    ['base64 of a user and the key', base64(`u:${KEY}`)],
    ['base64 after one byte', base64(`x${KEY}`)],
    ['base64 after two bytes', base64(`xy${KEY}`)],
    ['base64 after three bytes', base64(`xyz${KEY} and more`)],
    ['base64 of JSON', base64(JSON.stringify({ authorization: KEY }))],
    ['base64 of its first half', base64(KEY.slice(0, 16))],
    ['base64 of its last half', base64(KEY.slice(-16))],
    ['hexadecimal', hex(KEY)],
    ['hexadecimal in upper case', hex(KEY).toUpperCase()],
    ['hexadecimal with spaces', hex(KEY).replace(/../g, '$& ')],
    ['hexadecimal with colons', hex(KEY).replace(/..(?!$)/g, '$&:')],
    ['bytes in hexadecimal', [...Buffer.from(KEY)].map((byte) => `0x${byte.toString(16)}`).join(', ')],
    ['hexadecimal of a header', hex(`Bearer ${KEY}`)],
    ['hexadecimal of a part', hex(KEY.slice(4, 14))],
  ])('masks the key completely in %s', (_, echo) => {
    const masked = maskSecrets(`Wrong key: ${echo}.`, KEY);

    expect(masked).toContain('***');
    for (let start = 0; start + 6 <= echo.length; start++)
      expect(masked).not.toContain(echo.slice(start, start + 6));
  });

  it.each([...Array(40).keys()])('masks a key of %i characters in base64 and hexadecimal', (more) => {
    const key = `k3y${'aB9-_xYz'.repeat(6).slice(0, more)}`;
    if (key.length < 6) return;
    for (const echo of [base64(key), base64(`key=${key}`), base64(`Bearer ${key}`), hex(key)])
      expect(maskSecrets(`Wrong: ${echo}`, key)).toBe('Wrong: ***');
  });

  it.each(
    Object.entries({
      ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", sol: '/' },
      ...{ plus: '+', equals: '=', lowbar: '_', hyphen: '-', num: '#' },
    }),
  )('masks a key with the HTML entity &%s; for %s', (entity, character) => {
    const key = `abc${character}${character}xyz`;

    expect(maskSecrets(`Wrong: abc&${entity};&${entity.toUpperCase()};xyz!`, key)).toBe('Wrong: ***!');
  });

  it('masks other credentials by their form', () => {
    expect(maskSecrets('sk-proj-abc_def123, Bearer abc.def gsk_abcdefgh', KEY)).toBe(
      'sk-***, Bearer *** gsk_***',
    );
    expect(maskSecrets('Basic dXNlcjpwYXNzd29yZA== and AIzaSyA1b2C3d4', KEY)).toBe('Basic *** and AIza***');
  });

  it('keeps ordinary words', () => {
    const text =
      'The model `gpt-4` does not exist, 100% sure: \\n "risk-averse", 日本語 😀 &amp; &unknown; %zz \\u12 Basic characterization, 0123 deadbeef \\';

    expect(maskSecrets(text, KEY)).toBe(text);
    expect(maskSecrets(text, '')).toBe(text);
    expect(maskSecrets(text, 'x')).toBe(text);
  });

  it('masks a short key as a whole', () => {
    expect(maskSecrets('Wrong key: abcd', 'abcd')).toBe('Wrong key: ***');
  });

  it('takes linear time for adversarial keys and texts', () => {
    const [key, text] = ['a'.repeat(4096), 'a'.repeat(4000)];
    const time = (work: () => void) => {
      const start = performance.now();
      for (let i = 0; i < 5; i++) work();
      return performance.now() - start;
    };
    const words = 'Nothing of this is in any key, and it is as long as a text may be. '.repeat(60);
    time(() => maskSecrets(words, key));

    expect(maskSecrets(text, key)).toBe('***');
    expect(time(() => maskSecrets(text, key))).toBeLessThan(5 * time(() => maskSecrets(words, key)));
  });
});
