import { describe, expect, it } from '@jest/globals';
import { JwtService } from '@nestjs/jwt';
import { createHmac, generateKeyPairSync, sign as signWithKey } from 'node:crypto';
import { hashToken, newToken } from '../../encryption/random-token.js';
import { Settings } from '../../env/settings.js';
import { jwtOptions } from './jwt-options.js';
import { KeyRing } from './key-ring.js';
import { openSuccessor, sealSuccessor } from './sealed-successor.js';
import { TokensService } from './tokens.service.js';

const SECRET = 'a secret that only this test knows of, 0123456789';
const OTHER_SECRET = 'another secret that only this test knows, 9876543210';

const tokensWith = (...jwtSecrets: string[]) =>
  new TokensService(new JwtService(jwtOptions(new KeyRing({ jwtSecrets } as Settings))));
const tokens = tokensWith(SECRET);

const now = () => Math.floor(Date.now() / 1000);
const encode = (part: object | string) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

const goodHeader = { alg: 'HS256', typ: 'at+jwt' };
const goodPayload = () => ({
  sub: '7',
  sid: 11,
  iat: now(),
  exp: now() + 3600,
  jti: 'any',
  iss: 'parley',
  aud: 'parley',
});

/** Signs a token by hand; valid by default. */
function forge({ header = {}, payload = {}, secret = SECRET, hash = 'sha256' } = {}): string {
  const signed = `${encode({ ...goodHeader, ...header })}.${encode({ ...goodPayload(), ...payload })}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

function failureOf(token: string): { status: number; code: string; challenge?: string } {
  try {
    tokens.verify(token);
  } catch (error) {
    const problem = error as {
      getStatus(): number;
      code: string;
      extras: { headers?: Record<string, string> };
    };
    const challenge = problem.extras.headers?.['WWW-Authenticate'];
    return { status: problem.getStatus(), code: problem.code, challenge };
  }
  throw new Error('The token was accepted.');
}

const invalid = {
  status: 401,
  code: 'unauthenticated',
  challenge: expect.stringContaining('error="invalid_token"'),
};

describe('access tokens', () => {
  it('are JWTs of type at+jwt with the claims that the contract names', () => {
    const parts = tokens.sign(7, 11).split('.').slice(0, 2);
    const [header, payload] = parts.map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));

    expect(header).toEqual({ alg: 'HS256', typ: 'at+jwt' });
    expect(payload).toEqual({
      sub: '7',
      sid: 11,
      iat: expect.any(Number),
      exp: payload.iat + 3600,
      jti: expect.any(String),
      iss: 'parley',
      aud: 'parley',
    });
  });

  it('carry user, session and expiry', () => {
    const { userId, sessionId, expiresAt } = tokens.verify(tokens.sign(7, 11));

    expect({ userId, sessionId }).toEqual({ userId: 7, sessionId: 11 });
    expect(expiresAt - Date.now()).toBeGreaterThan(3_590_000);
  });

  it('never repeat', () => {
    expect(tokens.sign(7, 11)).not.toBe(tokens.sign(7, 11));
  });

  it('are accepted when signed by hand with valid claims', () => {
    expect(tokens.verify(forge())).toMatchObject({ userId: 7, sessionId: 11 });
    expect(tokens.verify(forge({ header: { typ: 'AT+JWT' } }))).toMatchObject({ userId: 7 });
    expect(tokens.verify(forge({ header: { typ: 'application/at+jwt' } }))).toMatchObject({ userId: 7 });
  });

  it.each(['none', 'None', 'NONE', 'nOnE'])('are refused under algorithm %s', (alg) => {
    const signed = `${encode({ ...goodHeader, alg })}.${encode(goodPayload())}`;
    const signature = createHmac('sha256', SECRET).update(signed).digest('base64url');

    expect(failureOf(`${signed}.`)).toEqual(invalid);
    expect(failureOf(signed)).toEqual(invalid);
    expect(failureOf(`${signed}.${signature}`)).toEqual(invalid);
  });

  it.each([
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ])('are refused under %s, though signed with the right secret', (alg, hash) => {
    expect(failureOf(forge({ header: { alg }, hash }))).toEqual(invalid);
    expect(failureOf(forge({ hash }))).toEqual(invalid);
  });

  it('are refused under RS256, with a key of the sender in jwk, jku, x5u or kid', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const jwk = publicKey.export({ format: 'jwk' });
    for (const named of [
      {},
      { jwk },
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example/x' },
    ]) {
      const signed = `${encode({ ...goodHeader, alg: 'RS256', ...named })}.${encode(goodPayload())}`;
      const signature = signWithKey('sha256', Buffer.from(signed), privateKey).toString('base64url');
      expect(failureOf(`${signed}.${signature}`)).toEqual(invalid);
    }
  });

  it('are refused when signed with a secret from their own header', () => {
    const jwk = { kty: 'oct', k: Buffer.from(OTHER_SECRET).toString('base64url') };
    const traversal = { kid: '../../../../dev/null' };

    expect(failureOf(forge({ header: { jwk }, secret: OTHER_SECRET }))).toEqual(invalid);
    expect(failureOf(forge({ header: traversal, secret: '' }))).toEqual(invalid);
  });

  it('are refused with an empty, truncated, changed or foreign signature', () => {
    const good = forge();
    const [header, payload, signature] = good.split('.') as [string, string, string];
    const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);

    for (const bad of ['', signature.slice(0, -2), flipped, `${signature}AA`, header]) {
      expect(failureOf(`${header}.${payload}.${bad}`)).toEqual(invalid);
    }
    expect(failureOf(`${header}.${encode({ ...goodPayload(), sub: '1' })}.${signature}`)).toEqual(invalid);
    expect(failureOf(`${encode({ ...goodHeader, kid: '1' })}.${payload}.${signature}`)).toEqual(invalid);
  });

  it.each([
    ['no type', { typ: undefined }],
    ['the type of any JWT', { typ: 'JWT' }],
    ['the type of a refresh token', { typ: 'rt+jwt' }],
    ['a type that is not a string', { typ: ['at+jwt'] }],
    ['a type with a parameter', { typ: 'at+jwt;v=1' }],
    ['a critical extension', { crit: ['exp'] }],
  ])('are refused with %s', (_, header) => {
    expect(failureOf(forge({ header }))).toEqual(invalid);
  });

  it.each([
    ['no expiry', { exp: undefined }],
    ['an expiry that is a string', { exp: '9999999999' }],
    ['a not-before time in the future', { nbf: now() + 600 }],
    ['no issuer', { iss: undefined }],
    ['another issuer', { iss: 'https://parley' }],
    ['no audience', { aud: undefined }],
    ['another audience', { aud: 'other' }],
    ['no user', { sub: undefined }],
    ['a user that is not a number', { sub: 'ada' }],
    ['no session', { sid: undefined }],
    ['a session that is not a number', { sid: { $ne: 1 } }],
  ])('are refused with %s', (_, payload) => {
    expect(failureOf(forge({ payload }))).toEqual(invalid);
  });

  it('report that they have expired', () => {
    expect(failureOf(forge({ payload: { exp: now() - 1 } }))).toEqual({ ...invalid, code: 'token_expired' });
  });

  it('are invalid, not expired, when signed with another secret', () => {
    expect(failureOf(forge({ payload: { exp: now() - 1 }, secret: OTHER_SECRET }))).toEqual(invalid);
  });

  it.each(['', '.', '..', 'a.b.c', 'null', `${'a'.repeat(100_000)}.b.c`, newToken()])(
    'are refused if they are not a JWT',
    (token) => expect(failureOf(token)).toEqual(invalid),
  );

  it('are refused when the payload is not an object', () => {
    const signed = `${encode(goodHeader)}.${encode('just text')}`;
    const signature = createHmac('sha256', SECRET).update(signed).digest('base64url');

    expect(failureOf(`${signed}.${signature}`)).toEqual(invalid);
  });
});

describe('secrets', () => {
  it('are rotated without logging anyone out: the first signs, all verify', () => {
    const before = tokensWith(OTHER_SECRET).sign(7, 11);
    const rotating = tokensWith(SECRET, OTHER_SECRET);

    expect(rotating.verify(before)).toMatchObject({ userId: 7 });
    expect(tokensWith(SECRET).verify(rotating.sign(7, 11))).toMatchObject({ userId: 7 });
  });

  it('verify no token after their removal', () => {
    expect(failureOf(tokensWith(OTHER_SECRET).sign(7, 11))).toEqual(invalid);
  });
});

describe('refresh tokens', () => {
  it('are 256 bits, never the same', () => {
    const many = new Set(Array.from({ length: 1000 }, newToken));

    expect(many.size).toBe(1000);
    for (const token of many) expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  });

  it('are hashed with SHA-256, in hex', () => {
    expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('open their sealed successor, and no other token does', () => {
    const [token, successor] = [newToken(), newToken()];
    const sealed = sealSuccessor(successor, token);

    expect(openSuccessor(sealed, token)).toBe(successor);
    expect(sealed).not.toContain(successor);
    expect(sealed.length).toBeLessThanOrEqual(255);
    expect(() => openSuccessor(sealed, newToken())).toThrow();
    expect(() => openSuccessor(sealed, hashToken(token))).toThrow();
  });

  it('do not open a changed or truncated successor', () => {
    const token = newToken();
    const sealed = Buffer.from(sealSuccessor(newToken(), token), 'base64url');
    for (const at of [0, 12, 30, sealed.length - 1]) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => openSuccessor(changed.toString('base64url'), token)).toThrow();
    }
    expect(() => openSuccessor(sealed.subarray(0, -1).toString('base64url'), token)).toThrow();
  });
});
