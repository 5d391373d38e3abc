/** Forged access tokens over every transport; src/auth/tokens/tokens.service.spec.ts tests the verifier alone. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign as signWithKey } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { ConnectError } from '../support/clients/socket.js';
import type { TestUser } from '../support/app/user.js';
import { WebSocketClient } from '../support/clients/websocket.js';

let t: TestApp;
let ada: TestUser;
let conversationId: number;

beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().create();
  conversationId = (await ada.createConversation()).id;
});
afterAll(() => t?.stop());

type Part = Record<string, unknown>;
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part;
const parts = () => ada.tokens.access_token.split('.') as [string, string, string];
const now = () => Math.floor(Date.now() / 1000);

/** Copies Ada's token with the given changes, signed with the server's secret by default. */
function forge({
  header = {},
  payload = {},
  secret = t.settings.jwtSecrets[0]!,
  hash = 'sha256',
} = {}): string {
  const [own, claims] = parts().map((part, index) => (index < 2 ? decode(part) : {})) as [Part, Part];
  const signed = `${encode({ ...own, ...header })}.${encode({ ...claims, ...payload })}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

function forgeWithoutSignature(alg: string): string {
  return `${forge({ header: { alg } }).split('.').slice(0, 2).join('.')}.`;
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

function forgeWithKeyPair(named: (jwk: object) => object): string {
  const header = { alg: 'RS256', ...named(publicKey.export({ format: 'jwk' })) };
  const signed = forge({ header }).split('.').slice(0, 2).join('.');
  return `${signed}.${signWithKey('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

const stranger = 'a secret of some length that is not the one of the server';
const FORGERIES: [name: string, make: () => string, code?: string][] = [
  ...['none', 'None', 'NONE'].map((alg): [string, () => string] => [
    `algorithm ${alg}`,
    () => forgeWithoutSignature(alg),
  ]),
  ['algorithm HS384', () => forge({ header: { alg: 'HS384' }, hash: 'sha384' })],
  ['algorithm HS512', () => forge({ header: { alg: 'HS512' }, hash: 'sha512' })],
  ['algorithm RS256', () => forgeWithKeyPair(() => ({}))],
  ['RS256 and a jwk', () => forgeWithKeyPair((jwk) => ({ jwk }))],
  ['RS256 and a jku', () => forgeWithKeyPair(() => ({ jku: `${t.provider.url}/jwks` }))],
  ['a jwk that is a secret', () => forge({ header: { jwk: { kty: 'oct', k: stranger } }, secret: stranger })],
  ['a kid that is a path', () => forge({ header: { kid: '../../../../dev/null' }, secret: '\0' })],
  ['a kid that is SQL', () => forge({ header: { kid: "x' UNION SELECT 'key" }, secret: 'key' })],
  ['an empty signature', () => `${parts().slice(0, 2).join('.')}.`],
  ['another secret', () => forge({ secret: stranger })],
  ['an empty secret', () => forge({ secret: '' })],
  [
    'another user in the payload',
    () => [parts()[0], forge({ payload: { sub: '1000' } }).split('.')[1], parts()[2]].join('.'),
  ],
  ['no expiry', () => forge({ payload: { exp: undefined } })],
  ['an expiry in the past', () => forge({ payload: { exp: now() - 1 } }), 'token_expired'],
  ['a beginning in the future', () => forge({ payload: { nbf: now() + 600 } })],
  ['another issuer', () => forge({ payload: { iss: 'https://elsewhere.example' } })],
  ['another audience', () => forge({ payload: { aud: 'elsewhere' } })],
  ['no audience', () => forge({ payload: { aud: undefined } })],
  ['the generic type JWT', () => forge({ header: { typ: 'JWT' } })],
  ['no type', () => forge({ header: { typ: undefined } })],
  ['another user’s session', () => forge({ payload: { sub: '1000' } }), 'token_revoked'],
  ['a session that never existed', () => forge({ payload: { sid: 900_000_000 } }), 'token_revoked'],
  ['the value of a refresh token', () => ada.tokens.refresh_token],
];

it('an unchanged token is accepted, so the forgeries fail for their change alone', async () => {
  expect((await t.http.get('/auth/me', { Authorization: `Bearer ${forge()}` })).status).toBe(200);
});

describe.each(FORGERIES)('a token with %s', (_, make, code = 'unauthenticated') => {
  it('is refused over HTTP with an invalid_token challenge (RFC 6750)', async () => {
    const { status, body, headers } = await t.http.get('/auth/me', { Authorization: `Bearer ${make()}` });

    expect([status, body.code]).toEqual([401, code]);
    expect(headers.get('WWW-Authenticate')).toMatch(/^Bearer realm="parley", error="invalid_token", /);
  });

  it('opens no Socket.IO connection, in auth or in the header', async () => {
    const token = make();
    const attempts = [{ auth: { token } }, { auth: {}, extraHeaders: { Authorization: `Bearer ${token}` } }];
    for (const options of attempts) {
      const error = await ada.socket(options).connected.then(
        () => undefined,
        (reason: ConnectError) => reason.data,
      );
      expect(error).toMatchObject({ status: 401, code });
    }
  });

  it('opens no WebSocket, in the header, as a subprotocol or in the first frame', async () => {
    const token = make();
    for (const auth of ['header', 'subprotocol', 'frame'] as const) {
      const socket = ada.ws(conversationId, { auth, token });
      expect([auth, (await socket.closed).code]).toEqual([auth, 4401]);
      expect(socket.frames).toEqual([]);
    }
  });

  it('does not extend an open socket', async () => {
    const token = make();
    const socket = ada.socket();
    const plain = ada.ws(conversationId);

    expect((await socket.emit('auth.refresh', { token })).error).toMatchObject({ status: 401, code });
    expect((await plain.request('auth.refresh', { token })).error).toMatchObject({ status: 401, code });
    await Promise.all([socket.close(), plain.close()]);
  });
});

describe('a valid token', () => {
  it.each(['token', 'access_token', 'auth_token', 'authorization', 'bearer'])(
    'is not read from the query parameter %s of a handshake',
    async (name) => {
      const query = new URLSearchParams({ [name]: ada.tokens.access_token });
      const url = `${t.url}/conversations/ws/${conversationId}?${query}`;
      const plain = t.opened(new WebSocketClient(url, { auth: 'none' }));
      // An authenticated socket needs no auth frame first.
      await plain.send({ type: 'conversation.open' });
      expect((await plain.closed).code).toBe(4401);

      const socket = ada.socket({ auth: {}, query: Object.fromEntries(query) });
      await expect(socket.connected).rejects.toMatchObject({
        data: { status: 401, code: 'unauthenticated' },
      });
    },
  );

  it('is refused in a duplicate Authorization header of a WebSocket handshake', async () => {
    const bearer = `Bearer ${ada.tokens.access_token}`;
    for (const doubled of [
      [bearer, bearer],
      [bearer, 'Bearer a.b.c'],
      ['Bearer a.b.c', bearer],
    ]) {
      // Node sends a list as repeated headers; the types of ws do not allow one.
      const headers = { Authorization: doubled as unknown as string };
      expect((await ada.ws(conversationId, { auth: 'none', headers }).closed).code).toBe(4401);
    }
  });

  it('is refused as a refresh token, and so is a forged one', async () => {
    for (const make of [forge, ...FORGERIES.slice(0, -1).map(([, make]) => make)]) {
      const refresh_token = make();
      const { status, body } = await t.http.post('/auth/refresh', { refresh_token });
      const expected = refresh_token.length > 512 ? [422, 'validation_failed'] : [401, 'unauthenticated'];
      expect([status, body.code]).toEqual(expected);
    }
  });
});
