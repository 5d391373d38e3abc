/** Vectors: generate, verify and invalid.json of https://github.com/fernet/spec; python.json was made with pyca/cryptography. */
import { describe, expect, it } from '@jest/globals';
import { createCipheriv, createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import generateVectors from '../../test/data/fernet/generate.json' with { type: 'json' };
import invalidVectors from '../../test/data/fernet/invalid.json' with { type: 'json' };
import python from '../../test/data/fernet/python.json' with { type: 'json' };
import verifyVectors from '../../test/data/fernet/verify.json' with { type: 'json' };
import { encrypt, isAuthentic, decrypt, parseKey } from './fernet.js';

const keyText = python.tokens[0]!.key;
const key = parseKey(keyText);
const otherKey = parseKey(python.tokens.find((row) => row.key !== keyText)!.key);

const toBase64Url = (bytes: Buffer) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');

/** Signs the given parts with a valid HMAC, which needs the key. */
function sign(...parts: Buffer[]): string {
  const signed = Buffer.concat(parts);
  const signingKey = Buffer.from(keyText, 'base64url').subarray(0, 16);
  return toBase64Url(Buffer.concat([signed, createHmac('sha256', signingKey).update(signed).digest()]));
}

describe('the vectors of the Fernet spec', () => {
  it.each(generateVectors)('generate: $src', ({ secret, src, now, iv, token }) => {
    expect(encrypt(parseKey(secret), Buffer.from(src), { now: new Date(now), iv: Buffer.from(iv) })).toBe(
      token,
    );
  });

  it.each(verifyVectors)('verify: $src', ({ secret, src, now, ttl_sec, token }) => {
    const plaintext = decrypt(parseKey(secret), token, { now: new Date(now), ttlSeconds: ttl_sec });

    expect(plaintext?.toString()).toBe(src);
  });

  it.each(invalidVectors)('invalid: $desc', ({ secret, now, ttl_sec, token }) => {
    expect(decrypt(parseKey(secret), token, { now: new Date(now), ttlSeconds: ttl_sec })).toBeNull();
  });
});

describe("tokens of Python's cryptography", () => {
  it.each(python.tokens)(
    'are decrypted with their key: $plaintext.length characters',
    ({ key, plaintext, token }) => {
      expect(decrypt(parseKey(key), token)?.toString()).toBe(plaintext);
    },
  );
});

describe('the timestamp', () => {
  const made = new Date('2026-01-31T09:30:00.900Z');
  const token = encrypt(key, Buffer.from('x'), { now: made });
  const after = (seconds: number) => new Date(made.getTime() + seconds * 1000);

  it.each([
    ['at its expiry', 60, true],
    ['a second later', 61, false],
    ['from a clock 60 s ahead', -60, true],
    ['from a clock 61 s ahead', -61, false],
  ])('with a TTL of 60 s, a token %s', (_, seconds, opens) => {
    expect(decrypt(key, token, { ttlSeconds: 60, now: after(seconds) }) !== null).toBe(opens);
  });

  it('is ignored without a TTL', () => {
    expect(decrypt(key, token, { now: after(-1e9) })).not.toBeNull();
    expect(decrypt(key, token, { now: after(1e9) })).not.toBeNull();
  });

  it('is rejected without an exception at its maximum', () => {
    const head = Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8, 0xff), Buffer.alloc(16)]);

    expect(decrypt(key, sign(head, Buffer.alloc(16)), { ttlSeconds: 60 })).toBeNull();
  });
});

describe('a tampered token', () => {
  // A fixed token, whose IV is '_' throughout: most random ones, but not all, differ from plain base64.
  const token = encrypt(key, Buffer.from('sk-a-key-to-keep-0123456789'), {
    now: new Date('2026-01-31T09:30:00.000Z'),
    iv: Buffer.alloc(16, 0xff),
  });
  const bytes = Buffer.from(token, 'base64url');

  it('is rejected with any bit flipped', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect([bit, decrypt(key, toBase64Url(altered)), isAuthentic(key, toBase64Url(altered))]).toEqual([
        bit,
        null,
        false,
      ]);
    }
  });

  it('is rejected with any character replaced', () => {
    for (let at = 0; at < token.length; at++) {
      for (const character of ['A', 'B', '_', '+', '=', ' ', '\n', '\0', 'é', '']) {
        if (character === token[at]) continue;
        const altered = token.slice(0, at) + character + token.slice(at + 1);
        expect([at, character, decrypt(key, altered)]).toEqual([at, character, null]);
      }
    }
  });

  it('is rejected if truncated or extended', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect([length, decrypt(key, toBase64Url(bytes.subarray(0, length)))]).toEqual([length, null]);
    }
    for (const altered of [`${token}A`, `${token}=`, `${token}\n`, ` ${token}`, token + token]) {
      expect([altered.length, decrypt(key, altered)]).toEqual([altered.length, null]);
    }
  });

  it('is rejected with other base64 padding or alphabet', () => {
    expect(token).toMatch(/_.*=$/);

    expect(decrypt(key, token.replace(/=+$/, ''))).toBeNull();
    expect(decrypt(key, bytes.toString('base64'))).toBeNull();
  });

  it('is rejected with non-zero unused bits in the last base64 digit', () => {
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = token.search(/=*$/) - 1;
    const twin = token.slice(0, last) + digits[digits.indexOf(token[last]!) + 1] + token.slice(last + 1);
    expect(Buffer.from(twin, 'base64url')).toEqual(bytes);

    expect(decrypt(key, twin)).toBeNull();
  });

  it('is rejected under another key', () => {
    expect(decrypt(otherKey, token)).toBeNull();
    expect(isAuthentic(otherKey, token)).toBe(false);
  });
});

describe('a malformed token with a valid HMAC', () => {
  const head = (version: number) =>
    Buffer.concat([Buffer.from([version]), Buffer.alloc(8), Buffer.alloc(16)]);

  it('is refused for another version', () => {
    const cipher = createCipheriv(
      'aes-128-cbc',
      Buffer.from(keyText, 'base64url').subarray(16),
      Buffer.alloc(16),
    );
    const ciphertext = Buffer.concat([cipher.update('x'), cipher.final()]);

    expect(decrypt(key, sign(head(0x80), ciphertext))?.toString()).toBe('x');
    expect(decrypt(key, sign(head(0x81), ciphertext))).toBeNull();
  });

  it.each([0, 1, 15, 17])('is refused with %i bytes of ciphertext', (length) => {
    const token = sign(head(0x80), Buffer.alloc(length));

    expect([decrypt(key, token), isAuthentic(key, token)]).toEqual([null, false]);
  });

  it('is refused with bad padding', () => {
    expect(decrypt(key, sign(head(0x80), Buffer.alloc(32)))).toBeNull();
  });
});

describe('a key', () => {
  it.each([
    '',
    'short',
    keyText.replace('=', ''),
    `${keyText}=`,
    ` ${keyText}`,
    Buffer.alloc(31, 1).toString('base64'),
    Buffer.alloc(33, 1).toString('base64'),
    Buffer.alloc(32, 0xff).toString('base64'),
    'f'.repeat(64),
  ])('is rejected if not 32 bytes in base64url, without appearing in the error: %j', (text) => {
    expect(() => parseKey(text)).toThrow(
      new TypeError('A Fernet key is 32 bytes in base64url with padding.'),
    );
  });

  it('does not appear in logs', () => {
    const bytes = Buffer.from(keyText, 'base64url');
    const shown = inspect(key, { depth: null, showHidden: true }) + JSON.stringify(key);

    for (const half of [bytes.subarray(0, 16), bytes.subarray(16)]) {
      for (const encoding of ['hex', 'base64', 'base64url'] as const)
        expect(shown).not.toContain(half.toString(encoding));
      expect(shown).not.toContain([...half].join(','));
    }
  });
});

it('makes a different token for each encryption', () => {
  const now = new Date();
  const tokens = Array.from({ length: 100 }, () => encrypt(key, Buffer.from('same'), { now }));

  expect(new Set(tokens).size).toBe(100);
});
