/** Socket.IO: the handshake and the session behind a socket. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { AuthService } from '../../src/auth/guard/auth.service.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { connected, refusalOf } from '../support/clients/socket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { type PlayedProvider } from '../support/provider/provider.js';
import type { ConnectError } from '../support/clients/socket.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t?.stop());

describe('the handshake of Socket.IO', () => {
  it('accepts the token in auth or in the Authorization header', async () => {
    const headers = { Authorization: `Bearer ${ada.tokens.access_token}` };

    await ada.socket().connected;
    await ada.socket({ auth: {}, extraHeaders: headers }).connected;
    await ada.socket({ auth: {}, extraHeaders: headers, transports: ['polling'] }).connected;
  });

  it.each([
    ['no token', () => ({}), 'unauthenticated'],
    ['an empty token', () => ({ token: '' }), 'unauthenticated'],
    ['garbage', () => ({ token: 'garbage' }), 'unauthenticated'],
    ['a token that is no text', () => ({ token: { $ne: 1 } }), 'unauthenticated'],
    ['a refresh token', () => ({ token: ada.tokens.refresh_token }), 'unauthenticated'],
    ['an expired token', () => ({ token: tokenWithSecondsLeft(t, ada, -1) }), 'token_expired'],
  ])('refuses %s with a connect_error that carries the problem', async (_, auth, code) => {
    const problem = await refusalOf(ada.socket({ auth: auth() }));

    expect(problem).toMatchObject({ status: 401, code, title: 'Unauthorized', type: 'about:blank' });
    expect(problem!.detail).toEqual(expect.any(String));
  });

  it('refuses a revoked token, a duplicate header, and a token in the query', async () => {
    const gone = await ada.signInAgain();
    await gone.post('/auth/logout');
    const bearer = `Bearer ${ada.tokens.access_token}`;

    expect(await refusalOf(gone.socket())).toMatchObject({ status: 401, code: 'token_revoked' });
    expect(
      await refusalOf(ada.socket({ auth: {}, query: { token: ada.tokens.access_token } })),
    ).toMatchObject({
      code: 'unauthenticated',
    });
    const doubled = { Authorization: [bearer, bearer] as unknown as string };
    expect(await refusalOf(ada.socket({ auth: {}, extraHeaders: doubled }))).toMatchObject({
      code: 'unauthenticated',
    });
  });

  it('refuses the root namespace, with a problem', async () => {
    const socket = ada.socket();
    const root = socket.io.io.socket('/', { auth: { token: ada.tokens.access_token } });

    const [error] = (await once(root.connect() as never, 'connect_error')) as [ConnectError];

    expect(error.data).toMatchObject({ status: 404, code: 'not_found' });
  });

  it.each(['websocket', 'polling'])('refuses a foreign origin with 403 over %s', async (transport) => {
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com.evil.example']) {
      const socket = ada.socket({ transports: [transport], extraHeaders: { Origin: origin } });

      const error = await socket.connected.catch((refused) => refused as ConnectError & { context: object });

      expect(error).toMatchObject({ description: transport === 'polling' ? 403 : expect.anything() });
    }
    const url = `/socket.io/?EIO=4&transport=polling`;
    expect((await t.http.get(url, { Origin: 'https://evil.example' })).status).toBe(403);
  });

  it('accepts its own origin and those of CORS_ORIGINS', async () => {
    for (const origin of [t.url, 'https://app.example.com']) {
      await ada.socket({ extraHeaders: { Origin: origin } }).connected;
      await ada.socket({ extraHeaders: { Origin: origin }, transports: ['polling'] }).connected;
    }
  });
});

describe('a session', () => {
  it('warns 60 s before the token expires, then closes the socket', async () => {
    const socket = ada.socket({ auth: { token: tokenWithSecondsLeft(t, ada, 2) } });
    await socket.connected;

    const { expires_at } = await socket.until(({ type }) => type === 'session.expiring');
    await within(socket.disconnected, 'It was not closed', 4000);

    const late = Date.now() - Date.parse(expires_at as string);
    expect(late).toBeGreaterThan(-50);
    expect(late).toBeLessThan(1000);
  });

  it('continues with a new token of the same user', async () => {
    const socket = ada.socket({ auth: { token: tokenWithSecondsLeft(t, ada, 2) } });
    const { expires_at } = await socket.until(({ type }) => type === 'session.expiring');

    const ack = await socket.emit<{ expires_at: string }>('auth.refresh', { token: ada.tokens.access_token });

    expect(Date.parse(ack.data.expires_at)).toBeGreaterThan(Date.now() + 3_000_000);
    const outlived = tokenWithSecondsLeft(t, ada, 3);
    const timer = ada.socket({ auth: { token: outlived } });
    await timer.disconnected;
    expect(Date.now()).toBeGreaterThan(Date.parse(expires_at as string));
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  it('does not continue with another user’s token, garbage or a used one', async () => {
    const bob = await t.user().create();
    const socket = ada.socket();
    const answers = [];

    for (const token of [bob.tokens.access_token, 'garbage', '', tokenWithSecondsLeft(t, ada, -1)]) {
      answers.push((await socket.emit('auth.refresh', { token })).error);
    }

    expect(answers).toMatchObject([
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'unauthenticated' },
      { status: 401, code: 'token_expired' },
    ]);
    expect(await socket.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
  });

  const endings: [string, (device: TestUser, other: TestUser) => Promise<unknown>][] = [
    ['a logout', (device) => device.post('/auth/logout')],
    [
      'a revocation',
      async (device, other) => {
        const { body } = await device.get<{ sessions: (Thing & { current: boolean })[] }>('/auth/sessions');
        const { id } = body.sessions.find(({ current }) => current)!;
        return other.post(`/auth/sessions/${id}/revoke`);
      },
    ],
    ['revoking all others', (_, other) => other.post('/auth/sessions/revoke-others')],
    ['a changed password', (_, other) => other.post('/auth/me/password', { password: 'another-Pass-9183' })],
  ];

  it.each(endings)('closes its sockets within a second of %s, and no others', async (_, end) => {
    const other = await t.user().create();
    const device = await other.signInAgain();
    const ended = await connected(device.socket());
    const polling = await connected(device.socket({ transports: ['polling'] }));
    const kept = await connected(other.socket());

    expect(await end(device, other)).toMatchObject({ status: 204 });

    const gone = Promise.all([ended.disconnected, polling.disconnected]);
    await within(gone, 'They were not closed', 1000);
    expect(await kept.emit('conversation.close', { conversation_id: 1 })).toMatchObject({ ok: true });
    expect(kept.events.filter(({ type }) => type.startsWith('session'))).toEqual([]);
  });

  it('closes its sockets when the account is deleted', async () => {
    const user = await t.user().create();
    const device = await user.signInAgain();
    const sockets = await Promise.all([connected(user.socket()), connected(device.socket())]);

    await user.post('/auth/me/delete', { current_password: user.password });

    const gone = Promise.all(sockets.map((socket) => socket.disconnected));
    await within(gone, 'They were not closed', 1000);
  });

  it('closes a socket that was connecting when the session ended', async () => {
    const user = await t.user().create();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      const identity = await authenticate(token);
      await user.post('/auth/logout');
      return identity;
    });

    const socket = user.socket();
    await socket.connected;
    spy.mockRestore();

    await within(socket.disconnected, 'It was not closed', 1000);
  });
});
