/** Forged access tokens at every door: src/auth/tokens.service.spec.ts tries more of them, on the verifier alone. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign as signWithKey } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app.js';
import { sendRaw } from '../support/raw.js';
import type { ConnectError } from '../support/socket.js';
import type { TestUser } from '../support/user.js';

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

/** Ada's own token but for what is given, signed with the server's secret unless another is. */
function forge({ header = {}, payload = {}, secret = t.settings.jwtSecrets[0]!, hash = 'sha256' } = {}): string {
  const [own, claims] = parts().map((part, index) => (index < 2 ? decode(part) : {})) as [Part, Part];
  const signed = `${encode({ ...own, ...header })}.${encode({ ...claims, ...payload })}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

function forgeWithoutSignature(alg: string): string {
  return `${forge({ header: { alg } }).split('.').slice(0, 2).join('.')}.`;
}

function forgeWithKeyPair(named: (jwk: object) => object): string {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
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
  ['another user in the payload', () => [parts()[0], forge({ payload: { sub: '1000' } }).split('.')[1], parts()[2]].join('.')],
  ['no expiry', () => forge({ payload: { exp: undefined } })],
  ['an expiry in the past', () => forge({ payload: { exp: now() - 1 } }), 'token_expired'],
  ['a beginning in the future', () => forge({ payload: { nbf: now() + 600 } })],
  ['another issuer', () => forge({ payload: { iss: 'https://elsewhere.example' } })],
  ['another audience', () => forge({ payload: { aud: 'elsewhere' } })],
  ['no audience', () => forge({ payload: { aud: undefined } })],
  ['the type of any JWT', () => forge({ header: { typ: 'JWT' } })],
  ['no type', () => forge({ header: { typ: undefined } })],
  ['another user’s session', () => forge({ payload: { sub: '1000' } }), 'token_revoked'],
  ['a session that never was', () => forge({ payload: { sid: 900_000_000 } }), 'token_revoked'],
  ['a refresh token in its place', () => ada.tokens.refresh_token],
];

it('is accepted as it was made, so that the forgeries fail for what they change', async () => {
  expect((await t.http.get('/auth/me', { Authorization: `Bearer ${forge()}` })).status).toBe(200);
});

describe.each(FORGERIES)('A token with %s', (_, make, code = 'unauthenticated') => {
  it('opens nothing over HTTP, and the challenge says that it is invalid (RFC 6750)', async () => {
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

  it('does not prolong an open socket', async () => {
    const token = make();
    const socket = ada.socket();
    const plain = ada.ws(conversationId);

    expect((await socket.emit('auth.refresh', { token })).error).toMatchObject({ status: 401, code });
    expect((await plain.request('auth.refresh', { token })).error).toMatchObject({ status: 401, code });
    await Promise.all([socket.close(), plain.close()]);
  });

  it('is no refresh token', async () => {
    // The last of the forgeries is one.
    if (make() === ada.tokens.refresh_token) return;
    const { status, body } = await t.http.post('/auth/refresh', { refresh_token: make() });

    expect([status, body.code ?? '']).toEqual(make().length > 512 ? [422, 'validation_failed'] : [401, 'unauthenticated']);
  });
});

describe('A good token', () => {
  it.each(['token', 'access_token', 'auth_token', 'authorization', 'bearer'])(
    'is not taken from the query parameter %s of a handshake',
    async (name) => {
      const query = `${name}=${ada.tokens.access_token}`;
      const handshake = (path: string) =>
        sendRaw(t.url, upgrade(path, 'Sec-WebSocket-Protocol: bearer'), 3000).catch((error: Error) => error.message);

      expect(await handshake(`/conversations/ws/${conversationId}?${query}`)).not.toContain('snapshot');
      const socket = ada.socket({ auth: {}, query: { [name]: ada.tokens.access_token } });
      await expect(socket.connected).rejects.toMatchObject({ data: { status: 401, code: 'unauthenticated' } });
    },
  );

  it('is refused in a doubled Authorization header of a WebSocket handshake', async () => {
    const header = `Authorization: Bearer ${ada.tokens.access_token}`;
    const path = `/conversations/ws/${conversationId}`;

    for (const headers of [[header, header], [header, 'authorization: Bearer a.b.c'], ['Authorization: Bearer a', header]]) {
      const answer = await sendRaw(t.url, upgrade(path, ...headers), 3000);
      expect(answer).not.toContain('snapshot');
      // 4401 in a close frame.
      expect(Buffer.from(answer, 'utf8').includes(Buffer.from([0x31]))).toBe(true);
    }
  });
});

/** A WebSocket's handshake with headers exactly as given. */
function upgrade(path: string, ...headers: string[]): string {
  const lines = ['Host: parley', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
  const all = [`GET ${path} HTTP/1.1`, ...lines, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...headers];
  return `${all.join('\r\n')}\r\n\r\n`;
}
