/** Attacks on POST /auth/exchange with forged tokens and issuers that misbehave. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { base64url, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { User } from '../../src/auth/users/user.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import { type Answer } from '../support/clients/http.js';
import { expectProblem } from '../support/clients/problems.js';
import { newSigningKey, PlayedIssuer } from '../support/infrastructure/openid-provider.js';

let issuer: PlayedIssuer;
/** Another configured issuer. */
let other: PlayedIssuer;
/** An issuer that is not configured. */
let stranger: PlayedIssuer;
let misbehaving: PlayedIssuer;
/** Never sends its keys. */
let stalling: PlayedIssuer;
/** An issuer that no server answers for. */
let away: string;
/** Answers of ten exchanges, which wait while the tests run. */
let stalled: Promise<{ answer: Answer; waited: number }[]>;
let key: JWK;
/** A key of the issuer for ES384, which is not accepted. */
let longKey: JWK;
const log = new LogLines();
let t: TestApp;
beforeAll(async () => {
  [issuer, other, stranger, misbehaving, stalling] = (await Promise.all(
    Array.from({ length: 5 }, () => PlayedIssuer.start()),
  )) as [PlayedIssuer, PlayedIssuer, PlayedIssuer, PlayedIssuer, PlayedIssuer];
  key = await newSigningKey('ES256');
  longKey = await newSigningKey('ES384');
  for (const one of [issuer, stranger]) one.keys = [publicPart(key), publicPart(longKey)];
  other.keys = [publicPart(await newSigningKey('ES256'))];
  const gone = await PlayedIssuer.start();
  away = gone.issuer;
  await gone.stop();
  const issuers = [...[issuer, other, misbehaving, stalling].map((one) => one.issuer), away];
  const providers = issuers.map((one) => ({ issuer: one, audience: 'app' }));
  t = await startTestApp({ env: { OIDC_PROVIDERS: JSON.stringify(providers) }, log });
  stalling.answers['/keys'] = () => undefined;
  stalled = Promise.all(Array.from({ length: 10 }, exchangeWithStalling));
});
afterAll(async () => {
  await t?.stop();
  for (const one of [issuer, other, stranger, misbehaving, stalling]) await one?.stop();
});

const publicPart = ({ d: _, ...rest }: JWK): JWK => rest;
/** Of the clock, also in tests that replace `Date.now`. */
const seconds = (offset: number) => Math.floor(new Date().getTime() / 1000) + offset;

/** Reasons of the refusals so far, for the operator. */
const refusals = () => log.filter(({ msg }) => msg === 'Refused an ID token').map(({ error }) => error);
const exchange = (id_token: string) => t.http.post('/auth/exchange', { id_token });

const validClaims = () => ({
  iss: issuer.issuer,
  sub: randomUUID(),
  aud: 'app',
  iat: seconds(0),
  exp: seconds(300),
});

async function sign(claims: object = {}, header: object = {}, signer: JWK = key): Promise<string> {
  return new SignJWT({ ...validClaims(), ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header })
    .sign(await importJWK(signer, 'ES256'));
}

async function exchangeWithStalling() {
  const start = performance.now();
  const answer = await exchange(await sign({ iss: stalling.issuer }));
  return { answer, waited: performance.now() - start };
}

const encode = (value: unknown) =>
  base64url.encode(typeof value === 'string' ? value : JSON.stringify(value));

describe('an ID token', () => {
  it('is accepted as these tests sign it', async () => {
    expect((await exchange(await sign())).status).toBe(200);
    expect((await exchange(await sign({ aud: ['app', 'api'], azp: 'app' }))).status).toBe(200);
    expect((await exchange(await sign({ iat: seconds(-590), exp: seconds(-50) }))).status).toBe(200);
  });

  it.each<[string, string, () => Promise<string> | string]>([
    [
      'without a signature (alg none)',
      '"alg" (Algorithm) Header Parameter value not allowed',
      () => `${encode({ alg: 'none' })}.${encode(validClaims())}.`,
    ],
    [
      'signed by HS256 with the public key',
      '"alg" (Algorithm) Header Parameter value not allowed',
      async () => {
        const secret = new TextEncoder().encode(
          await exportSPKI((await importJWK(publicPart(key), 'ES256')) as Parameters<typeof exportSPKI>[0]),
        );
        return new SignJWT(validClaims()).setProtectedHeader({ alg: 'HS256', kid: key.kid }).sign(secret);
      },
    ],
    [
      'signed by another algorithm, with a key of the issuer',
      '"alg" (Algorithm) Header Parameter value not allowed',
      async () =>
        new SignJWT(validClaims())
          .setProtectedHeader({ alg: 'ES384', kid: longKey.kid })
          .sign(await importJWK(longKey, 'ES384')),
    ],
    ['of an issuer that is not configured', 'unknown issuer', () => sign({ iss: stranger.issuer })],
    ['that names another configured issuer', 'no applicable key found', () => sign({ iss: other.issuer })],
    ['without an issuer', 'unknown issuer', () => sign({ iss: undefined })],
    ['for another audience', 'unexpected "aud" claim value', () => sign({ aud: 'api' })],
    ['for other audiences', 'unexpected "aud" claim value', () => sign({ aud: ['api', 'web'] })],
    ['without an audience', 'missing required "aud" claim', () => sign({ aud: undefined })],
    [
      'for several audiences, issued to another party',
      'another authorized party',
      () => sign({ aud: ['app', 'api'], azp: 'api' }),
    ],
    [
      'for several audiences, issued to nobody',
      'another authorized party',
      () => sign({ aud: ['app', 'api'] }),
    ],
    ['that has expired', '"exp" claim timestamp check failed', () => sign({ exp: seconds(-61) })],
    ['without expiry', 'missing required "exp" claim', () => sign({ exp: undefined })],
    ['that is not valid yet', '"nbf" claim timestamp check failed', () => sign({ nbf: seconds(120) })],
    [
      'from the future',
      '"iat" claim timestamp check failed (it should be in the past)',
      () => sign({ iat: seconds(120) }),
    ],
    [
      'of eleven minutes ago',
      '"iat" claim timestamp check failed (too far in the past)',
      () => sign({ iat: seconds(-661) }),
    ],
    ['without iat', 'missing required "iat" claim', () => sign({ iat: undefined })],
    ['without a subject', 'missing required "sub" claim', () => sign({ sub: undefined })],
    ['with an empty subject', 'unusable sub', () => sign({ sub: '' })],
    ['with an endless subject', 'unusable sub', () => sign({ sub: 'x'.repeat(256) })],
    ['with a number as subject', 'unusable sub', () => sign({ sub: 7 })],
    ['that is an access token', 'unexpected typ', () => sign({}, { typ: 'at+jwt' })],
    [
      'with a critical extension',
      'Extension Header Parameter',
      async () =>
        new SignJWT(validClaims())
          .setProtectedHeader({ alg: 'ES256', kid: key.kid, crit: ['urn:x'], 'urn:x': 1 })
          .sign(await importJWK(key, 'ES256'), { crit: { 'urn:x': true } }),
    ],
    [
      'with altered claims',
      'signature verification failed',
      async () => {
        const [header, , signature] = (await sign()).split('.');
        return `${header}.${encode(validClaims())}.${signature}`;
      },
    ],
    [
      'with a claim twice, the second one altered',
      'signature verification failed',
      async () => {
        const [header, claims, signature] = (await sign()).split('.');
        const twice = Buffer.from(claims!, 'base64url').toString().replace(/}$/, ',"sub":"ada"}');
        return `${header}.${encode(twice)}.${signature}`;
      },
    ],
    [
      'that is large',
      'signature verification failed',
      async () => `${await sign({ junk: 'x'.repeat(40_000) })}x`,
    ],
    ['that is no token', 'Invalid JWT', () => 'no token'],
    [
      'that is our own access token',
      'unknown issuer',
      async () => (await t.user().create()).tokens.access_token,
    ],
  ])('%s is refused: %s', async (_, reason, make) => {
    const token = await make();
    const before = refusals().length;
    const answer = await exchange(token);

    expectProblem(answer, 401, 'invalid_id_token');
    expect(refusals().slice(before)).toEqual([expect.stringContaining(reason)]);
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer/);
    expect(stranger.requests).toEqual([]);
  });

  it('cannot bring its own key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await crypto.subtle.exportKey('jwk', publicKey);
    for (const header of [{ jwk }, { jku: `${stranger.issuer}/keys` }, { x5u: `${stranger.issuer}/keys` }]) {
      const token = await new SignJWT(validClaims())
        .setProtectedHeader({ alg: 'ES256', kid: key.kid, ...(header as object) })
        .sign(privateKey);
      expectProblem(await exchange(token), 401, 'invalid_id_token');
    }
    expect(stranger.requests).toEqual([]);
  });

  it('beyond 64 KiB is not read', async () => {
    expectProblem(await exchange('x'.repeat(65_537)), 422, 'validation_failed', ['id_token']);
  });

  it('with unknown keys has the keys fetched no more often than every 30 s', async () => {
    const fetches = async (requests: number) => {
      const before = issuer.requests.length;
      const tokens = await Promise.all(
        Array.from({ length: requests }, () => sign({}, { kid: randomUUID() })),
      );
      for (const answer of await Promise.all(tokens.map(exchange)))
        expectProblem(answer, 401, 'invalid_id_token');
      return issuer.requests.length - before;
    };
    expect((await exchange(await sign())).status).toBe(200);
    const now = Date.now;
    try {
      Date.now = () => now() + 31_000;
      expect([await fetches(10), await fetches(10), await fetches(1)]).toEqual([1, 0, 0]);
      Date.now = () => now() + 62_000;
      expect([await fetches(1), await fetches(1)]).toEqual([1, 0]);
    } finally {
      Date.now = now;
    }
  });
});

describe('an issuer', () => {
  const token = (header = {}) => sign({ iss: misbehaving.issuer }, header);
  const now = Date.now;
  let laterMs = 0;
  beforeAll(() => {
    Date.now = () => now() + laterMs;
  });
  afterAll(() => {
    Date.now = now;
  });
  const expectUnavailable = async () => {
    const answer = await exchange(await token());
    expectProblem(answer, 503, 'identity_provider_unavailable');
    expect(Number(answer.headers.get('Retry-After'))).toBeGreaterThan(0);
  };
  beforeEach(() => {
    misbehaving.answers = {};
    misbehaving.keys = [publicPart(key)];
    misbehaving.requests.length = 0;
    stranger.requests.length = 0;
    laterMs += 6000;
  });

  it.each([
    ['fails', '/.well-known/openid-configuration', 500, 'broken'],
    ['sends no JSON', '/.well-known/openid-configuration', 200, '<html>'],
    ['names another issuer', '/.well-known/openid-configuration', 200, '{"issuer":"https://other.example"}'],
    ['fails to send keys', '/keys', 500, 'broken'],
    ['sends no keys', '/keys', 200, '[]'],
  ])('that %s is unavailable', async (_, path, status, body) => {
    misbehaving.answers[path] = (response) => response.writeHead(status).end(body);

    await expectUnavailable();
  });

  it('that sends 10 MB of keys is cut off', async () => {
    let written = 0;
    misbehaving.answers['/keys'] = (response) => {
      const write = () => {
        while (written < 10_000_000 && !response.destroyed) {
          written += 65_536;
          if (!response.write('x'.repeat(65_536))) return response.once('drain', write);
        }
        return response.end();
      };
      write();
    };

    await expectUnavailable();
    expect(written).toBeLessThan(10_000_000);
  });

  it('that redirects is not followed', async () => {
    misbehaving.answers['/keys'] = (response) =>
      response.writeHead(302, { Location: `${stranger.issuer}/keys` }).end();

    await expectUnavailable();
    expect(stranger.requests).toEqual([]);
  });

  it('that stalls is left after 5 s, by all requests that wait for it', async () => {
    for (const { answer, waited } of await stalled) {
      expectProblem(answer, 503, 'identity_provider_unavailable');
      expect(waited).toBeGreaterThan(4500);
    }
    expect(stalling.requests.filter((path) => path === '/keys')).toHaveLength(1);
  });

  it('that fails is asked again after 5 s, and not before', async () => {
    misbehaving.answers['/keys'] = (response) => response.writeHead(500).end();
    await expectUnavailable();
    misbehaving.answers = {};
    for (let n = 0; n < 3; n++) await expectUnavailable();
    expect(misbehaving.requests).toEqual(['/.well-known/openid-configuration', '/keys']);

    laterMs += 6000;
    expect((await exchange(await token())).status).toBe(200);
  });

  it('that fails when a token names an unknown key signs in by the keys that it sent before', async () => {
    expect((await exchange(await token())).status).toBe(200);
    misbehaving.requests.length = 0;
    misbehaving.answers['/keys'] = (response) => response.writeHead(500).end();
    laterMs += 31_000;
    expectProblem(await exchange(await token({ kid: 'unknown' })), 503, 'identity_provider_unavailable');

    expect((await exchange(await token())).status).toBe(200);
    expect(misbehaving.requests).toEqual(['/keys']);
  });

  it('that is down is unavailable', async () => {
    const answer = await exchange(await sign({ iss: away }));
    expectProblem(answer, 503, 'identity_provider_unavailable');
  });
});

it('no refused token has created a user', async () => {
  const users = await t.manager.find(User);

  expect(users.map(({ username }) => username)).not.toContain('ada');
});
