import { describe, expect, it } from '@jest/globals';
import { canonicalizeCode } from './totp-code.js';
import { findStep, newTotpSecret, otpauthUrl } from './totp.js';

/** RFC 6238 appendix B: the ASCII text 12345678901234567890 in Base32. */
const SECRET = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ';

describe('findStep', () => {
  it.each([
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ])('accepts the code of RFC 6238 appendix B at %i s', (seconds, eightDigits) => {
    expect(findStep(SECRET, eightDigits.slice(-6), seconds * 1000)).toBe(Math.floor(seconds / 30));
  });

  it('accepts a code in the steps before and after its own', () => {
    const step = Math.floor(1234567890 / 30);
    const steps = [-2, -1, 0, 1, 2].map((offset) => findStep(SECRET, '005924', (step + offset) * 30_000));

    expect(steps).toEqual([null, step, step, step, null]);
  });

  it('accepts a code until the last millisecond of the next step', () => {
    expect(findStep(SECRET, '287082', 90_000 - 1)).toBe(1);
    expect(findStep(SECRET, '287082', 90_000)).toBeNull();
  });

  it('refuses a code that differs in one digit', () => {
    expect(findStep(SECRET, '287083', 59_000)).toBeNull();
  });
});

it('makes secrets of 160 bits, never the same', () => {
  const secrets = new Set(Array.from({ length: 100 }, newTotpSecret));

  expect(secrets.size).toBe(100);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
});

it('makes a URL that authenticator apps read', () => {
  expect(otpauthUrl(SECRET, 'chat.example.com', 'ada lovelace@example.com')).toBe(
    `otpauth://totp/chat.example.com:ada%20lovelace%40example.com?secret=${SECRET}&issuer=chat.example.com`,
  );
});

it.each([
  [' 287 082 ', '287082'],
  ['287-082', '287082'],
  ['２８７０８２', '287082'],
  ['ABCD–efgh—2345', 'abcdefgh2345'],
])('reads %j as %j', (code, canonical) => {
  expect(canonicalizeCode(code)).toBe(canonical);
});
