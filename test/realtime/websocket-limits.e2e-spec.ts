/** WebSocket: dead connections and limits. */
import { isCompleted } from '../support/clients/events.js';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { revokedToken } from '../../src/auth/auth.errors.js';
import { AuthService } from '../../src/auth/guard/auth.service.js';
import { WebSocketClients } from '../../src/chat/transports/websocket/websocket-clients.js';
import { closeCode, snapshot } from '../support/clients/websocket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gate } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';
import { WebSocketClient } from '../support/clients/websocket.js';

let t: TestApp;
let ada: TestUser;
let id: number;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  ada = await t.user().withConfig(t.provider).create();
  ({ id } = await ada.createConversation());
});
afterAll(() => t?.stop());

describe('a dead connection', () => {
  it('is closed after an unanswered ping, and no other', async () => {
    const clients = t.app.get(WebSocketClients) as unknown as { ping(): void };
    const [dead, alive] = [ada.ws(id, { autoPong: false }), ada.ws(id)];
    await Promise.all([snapshot(dead), snapshot(alive)]);

    clients.ping();
    await once(alive.socket, 'ping');
    expect(await alive.request('conversation.close')).toMatchObject({ ok: true });
    clients.ping();

    expect(await closeCode(dead)).toBe(1006);
    expect(await alive.request('conversation.close')).toMatchObject({ ok: true });
    await alive.close();
  });
});

describe('a WebSocket’s limits', () => {
  it.each([2, 16])('close with 4413 for %i MiB in one frame, also before the token', async (megabytes) => {
    const [ws, early] = [ada.ws(id), ada.ws(id, { auth: 'none' })];
    await snapshot(ws);

    await ws.send('x'.repeat(megabytes * 1024 * 1024));
    await early.send('x'.repeat(megabytes * 1024 * 1024));

    expect([await closeCode(ws), await closeCode(early)]).toEqual([4413, 4413]);
  });

  it('close with 4413 on the header of an oversized frame, without its payload', async () => {
    const early = ada.ws(id, { auth: 'none' });
    await early.opened;
    const { _socket: connection } = early.socket as unknown as { _socket: Socket };
    // The last part, of text, masked: its length in eight bytes, and no byte of what it says.
    const head = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0]);

    connection.write(head);

    expect(await closeCode(early)).toBe(4413);
  });

  it('close the socket for text that is not UTF-8', async () => {
    const mangled = ada.ws(id);
    await snapshot(mangled);

    mangled.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });

    expect(await closeCode(mangled)).toBe(1007);
  });

  it('does not include the longest message with every character escaped', async () => {
    const { id: own } = await ada.createConversation();
    const ws = ada.ws(own);
    await snapshot(ws);

    await ws.send(`{"type":"chat.send","content":"${'\\ud83d\\ude00'.repeat(100_000)}"}`);
    await ws.until(isCompleted);

    expect((await ada.history(own))[0]!.content === '😀'.repeat(100_000)).toBe(true);
    await ws.close();
  });

  describe('under rate limits', () => {
    let limited: TestApp;
    let failing: TestApp | undefined;
    let user: TestUser;
    let conversation: number;
    beforeAll(async () => {
      limited = await startTestApp({ env: { RATE_LIMIT_SCALE: '1' } });
      user = await limited.user().create();
      ({ id: conversation } = await user.createConversation());
    });
    afterAll(() => Promise.all([limited?.stop(), failing?.stop()]));

    it('refuse frames beyond 50 a second, and close with 4429 far beyond', async () => {
      const [ws, bystander] = [user.ws(conversation), user.ws(conversation)];
      await Promise.all([snapshot(ws), snapshot(bystander)]);

      const acks = await Promise.all(Array.from({ length: 130 }, () => ws.request('conversation.close')));
      for (let n = 0; n < 1000; n++) await ws.send('{"type":"conversation.close"}');

      const refused = acks.filter(({ ok }) => !ok);
      expect(refused.length).toBeGreaterThanOrEqual(30);
      expect(acks.length - refused.length).toBeGreaterThanOrEqual(50);
      expect(refused[0]!.error).toMatchObject({
        status: 429,
        code: 'rate_limited',
        detail: 'Too many events; slow down.',
      });
      expect(await closeCode(ws)).toBe(4429);
      expect(await bystander.request('conversation.close')).toMatchObject({ ok: true });
      await bystander.close();
    });

    it('close with 4429 a flood before authentication', async () => {
      const held = gate();
      const spy = jest.spyOn(limited.app.get(AuthService), 'authenticate').mockImplementation(async () => {
        await (held as unknown as () => Promise<void>)();
        throw revokedToken();
      });
      const ws = user.ws(conversation);
      await ws.opened;

      for (let n = 0; n < 60; n++) ws.socket.send('{"type":"conversation.close"}');

      expect(await closeCode(ws)).toBe(4429);
      held.open();
      spy.mockRestore();
    });

    it('close with 4429 the sockets of an address with too many failures, HTTP’s included', async () => {
      failing = await startTestApp({ env: { RATE_LIMIT_SCALE: '0.1' } });
      const url = `${failing.url}/conversations/ws/1`;
      const codes: number[] = [];
      while (codes.length < 70 && !codes.includes(4429)) {
        codes.push(await closeCode(failing.opened(new WebSocketClient(url, { token: 'garbage' }))));
      }

      expect(codes).toHaveLength(61);
      expect((await failing.http.get('/auth/me')).status).toBe(429);
    });
  });
});
