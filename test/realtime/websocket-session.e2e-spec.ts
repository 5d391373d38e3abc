/** WebSocket: the upgrade, the token and the session behind a socket. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AuthService } from '../../src/auth/guard/auth.service.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { closeCode, snapshot } from '../support/clients/websocket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within } from '../support/clients/event-log.js';
import { type PlayedProvider } from '../support/provider/provider.js';
import { sendRaw } from '../support/clients/raw.js';
import type { TestUser } from '../support/app/user.js';
import { Refused } from '../support/clients/websocket.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;
let id: number;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
  ({ id } = await ada.createConversation());
});
afterAll(() => t?.stop());

describe('the token of a WebSocket', () => {
  it.each(['header', 'subprotocol', 'frame'] as const)('is read from the %s', async (auth) => {
    const ws = ada.ws(id, { auth });

    await snapshot(ws);

    expect(ws.socket.protocol).toBe(auth === 'subprotocol' ? 'bearer' : '');
    await ws.close();
  });

  it.each(['Bearer', 'BEARER', 'bEaReR'])(
    'is read after the subprotocol %s, which is echoed',
    async (scheme) => {
      const ws = ada.ws(id, { auth: 'subprotocol', scheme });

      await snapshot(ws);

      expect(ws.socket.protocol).toBe(scheme);
      await ws.close();
    },
  );

  it('is not read after any other subprotocol, and none is echoed', async () => {
    const ws = ada.ws(id, { auth: 'subprotocol', scheme: 'bearerx' });
    const ended = ws.opened.catch((error: Error) => error.message);

    // A client that offered some must not accept a server that chose none (RFC 6455 section 4.1).
    expect(await ended).toBe('Server sent no subprotocol');
  });

  it.each(['header', 'subprotocol', 'frame'] as const)(
    'closes with 4401 for an invalid one in the %s',
    async (auth) => {
      const gone = await ada.signInAgain();
      await gone.post('/auth/logout');
      const tokens = [
        'garbage',
        ada.tokens.refresh_token,
        tokenWithSecondsLeft(t, ada, -1),
        gone.tokens.access_token,
      ];

      for (const token of tokens) {
        const ws = ada.ws(id, { auth, token });
        expect([await closeCode(ws), ws.frames]).toEqual([4401, []]);
      }
    },
  );

  it.each([
    ['no JSON', 'auth'],
    ['another type', '{"type":"chat.send","token":"x"}'],
    ['no token', '{"type":"auth"}'],
    ['null', 'null'],
    ['binary', Buffer.from('{"type":"auth","token":"x"}')],
  ])('closes with 4401 for the first frame %s', async (_, frame) => {
    const ws = ada.ws(id, { auth: 'none' });

    await ws.send(frame);

    expect(await ws.closed).toEqual({
      code: 4401,
      reason: 'The first frame must be {"type": "auth", "token"}.',
    });
  });

  it('closes with 4401 for a binary frame or a duplicate header', async () => {
    const ws = ada.ws(id, { auth: 'none' });
    await ws.send(Buffer.from(JSON.stringify({ type: 'auth', token: ada.tokens.access_token })));
    const bearer = `Bearer ${ada.tokens.access_token}`;
    const doubled = ada.ws(id, {
      auth: 'none',
      headers: { Authorization: [bearer, bearer] as unknown as string },
    });

    expect([await closeCode(ws), await closeCode(doubled)]).toEqual([4401, 4401]);
  });

  it('closes with 4408 if none arrives within 5 s', async () => {
    const ws = ada.ws(id, { auth: 'none' });
    await ws.opened;
    const openedAt = Date.now();

    expect(await ws.closed).toEqual({ code: 4408, reason: 'No token came in time.' });
    expect(Date.now() - openedAt).toBeGreaterThan(4500);
    expect(Date.now() - openedAt).toBeLessThan(7000);
  });

  it('is not read from the query', async () => {
    const ws = ada.ws(`${id}?token=${ada.tokens.access_token}`, { auth: 'header', token: 'x' });

    expect(await closeCode(ws)).toBe(4401);
  });
});

describe('a session', () => {
  it('warns, then closes the socket with 4401 when the token expires', async () => {
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });

    await ws.until(({ type }) => type === 'session.expiring');

    expect(await ws.closed).toEqual({ code: 4401, reason: 'token_expired' });
  });

  it('continues with a new token of the same user, but not of another', async () => {
    const bob = await t.user().create();
    const ws = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });
    const clock = ada.ws(id, { token: tokenWithSecondsLeft(t, ada, 2) });
    await snapshot(ws);

    const refused = await ws.request('auth.refresh', { token: bob.tokens.access_token });
    const renewed = await ws.request('auth.refresh', { token: ada.tokens.access_token });

    expect(refused).toMatchObject({ ok: false, error: { status: 401, code: 'unauthenticated' } });
    expect(renewed).toMatchObject({ ok: true, data: { expires_at: expect.any(String) } });
    await clock.closed;
    expect(await ws.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('closes its sockets with 4401 within a second of a logout, and no others', async () => {
    const device = await ada.signInAgain();
    const [ended, kept] = [device.ws(id), ada.ws(id)];
    await Promise.all([snapshot(ended), snapshot(kept)]);

    await device.post('/auth/logout');

    expect(await within(ended.closed, 'It was not closed', 1000)).toEqual({
      code: 4401,
      reason: 'token_revoked',
    });
    expect(await kept.request('conversation.close')).toMatchObject({ ok: true });
  });

  it('terminates a socket that does not answer the close frame', async () => {
    const device = await ada.signInAgain();
    const { id: own } = await ada.createConversation();
    const ws = device.ws(own);
    await snapshot(ws);
    // It goes on sending, and never confirms that the socket is to be closed.
    const { socket } = ws as unknown as {
      socket: { _socket: { write(data: Buffer): void }; _receiver: object };
    };
    const frame = maskedFrame(JSON.stringify({ type: 'chat.send', content: 'After the end' }));
    ws.socket.removeAllListeners('message');
    (ws.socket as unknown as { close(): void }).close = () => undefined;
    const over = new Promise((resolve) => ws.socket.once('close', resolve));

    await device.post('/auth/logout');
    socket._socket.write(frame);

    await within(over, 'It was not cut', 3000);
    expect(await ada.history(own)).toEqual([]);
  });

  it('closes a socket that was connecting when the session ended', async () => {
    const device = await ada.signInAgain();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      const identity = await authenticate(token);
      await device.post('/auth/logout');
      return identity;
    });

    const ws = device.ws(id);

    expect(await closeCode(ws)).toBe(4401);
    spy.mockRestore();
  });
});

describe('the upgrade to a WebSocket', () => {
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

  it.each(['https://evil.example', 'null', 'https://app.example.com:8443', 'http://app.example.com'])(
    'is refused with 403 from the origin %s',
    async (origin) => {
      const ws = ada.ws(id, { origin });

      expect(await ws.opened.catch((error: Refused) => error.status)).toBe(403);
    },
  );

  it('is accepted from its own origin and from those of CORS_ORIGINS', async () => {
    for (const origin of [t.url, 'https://app.example.com']) {
      const ws = ada.ws(id, { origin });
      await snapshot(ws);
      await ws.close();
    }
  });

  it.each([
    '/conversations/ws',
    '/conversations/ws/',
    '/conversations/ws/1/2',
    '/nowhere',
    '/',
    '//',
    '/socket.io',
    '/%',
    '/conversations/ws/1/',
  ])('is refused with 404 at %s, and the connection is closed', async (path) => {
    const answer = await sendRaw(t.url, `GET ${path} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`);

    expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    expect(answer).toContain('application/problem+json');
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toMatchObject({ status: 404, code: 'not_found' });
  });

  it('that is malformed does no harm', async () => {
    const bad = upgrade.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short');

    expect(await sendRaw(t.url, `GET /conversations/ws/1 HTTP/1.1\r\nHost: a\r\n${bad}\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    expect((await t.http.get('/health/live')).status).toBe(200);
  });
});

/** A text frame as a client sends it (RFC 6455, section 5.2), with a mask of zeros. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
