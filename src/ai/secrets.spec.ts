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
  ])('masks the key %s', (_, echo) => {
    const masked = maskSecrets(`Wrong key: ${echo}.`, KEY);

    expect(masked).toMatch(/^Wrong key: /);
    expect(masked).toContain('***');
    expect(masked).not.toMatch(/sEcReT|%73|u0073|23456789/i);
  });

  it('masks what looks like anybody else’s credentials', () => {
    expect(maskSecrets('sk-proj-abc_def123, Bearer abc.def gsk_abcdefgh', KEY)).toBe(
      'sk-***, Bearer *** gsk_***',
    );
  });

  it('leaves words alone', () => {
    const text = 'The model `gpt-4` does not exist, 100% sure: \\n "risk-averse", 日本語 😀';

    expect(maskSecrets(text, KEY)).toBe(text);
    expect(maskSecrets(text, '')).toBe(text);
    expect(maskSecrets(text, 'x')).toBe(text);
  });

  it('masks a short key whole', () => {
    expect(maskSecrets('Wrong key: abcd', 'abcd')).toBe('Wrong key: ***');
  });

  it('takes as long for a key and a text that were made to take long as for any other', () => {
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
