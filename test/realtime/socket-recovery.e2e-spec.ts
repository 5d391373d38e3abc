/** Socket.IO: connection state recovery. */
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { AuthService } from '../../src/auth/guard/auth.service.js';
import { isCompleted, isDelta, ofMessage, textOf, typesOf } from '../support/clients/events.js';
import { connected } from '../support/clients/socket.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { EventLog, within } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import type { ConnectError, SocketClient } from '../support/clients/socket.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp({ env: { CORS_ORIGINS: 'https://app.example.com' } });
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t?.stop());

describe('connection state recovery', () => {
  /** A client whose connection tests cut and restore. */
  class ReconnectingClient {
    readonly log = new EventLog('A wanderer');

    constructor(readonly socket: SocketClient) {
      socket.io.onAny((type: string, body: object) => this.log.push({ ...body, type }));
    }

    async lose(): Promise<void> {
      const gone = once(this.socket.io as never, 'disconnect');
      this.socket.io.io.engine.close();
      await gone;
    }

    async comeBack(): Promise<boolean> {
      const back = once(this.socket.io as never, 'connect');
      this.socket.io.connect();
      await within(back, 'It did not come back');
      return this.socket.io.recovered;
    }
  }

  it('loses no event and no character of a streaming reply, wherever the connection breaks', async () => {
    const { id } = await ada.createConversation();
    const watcher = ada.socket();
    const wanderer = new ReconnectingClient(ada.recoveringSocket());
    const gates = Array.from({ length: 8 }, () => gate());
    provider.willStream(...gates.flatMap((held, n) => [`piece ${n} 👋🏽 `, held]), 'the end');
    const ack = await wanderer.socket.emit<ChatAnswer>('chat.send', { conversation_id: id, content: 'Hi' });
    await watcher.emit('conversation.open', { conversation_id: id });
    const { id: reply, content } = ack.data.assistant_message;
    const soFar = () => textOf(ofMessage(reply, wanderer.log.events), String(content));
    const whole = gates.map((_, n) => `piece ${n} 👋🏽 `).join('') + 'the end';

    for (const [n, held] of gates.entries()) {
      const upTo = whole.indexOf(`piece ${n} `) + `piece ${n} 👋🏽 `.length;
      if (soFar().length < upTo) await wanderer.log.until(() => soFar().length >= upTo);
      await wanderer.lose();
      held.open();
      if (n < 7)
        await watcher.until((event) => isDelta(event) && String(event.text).includes(`piece ${n + 1}`));
      else await watcher.until(isCompleted);
      expect(await wanderer.comeBack()).toBe(true);
    }

    await wanderer.log.until(isCompleted);
    const { events } = wanderer.log;
    expect(events.find(isCompleted)).toMatchObject({ message: { content: whole } });
    expect(events.filter(isCompleted)).toHaveLength(1);
    expect(typesOf(events).filter((type) => type === 'message.created')).toHaveLength(2);
  });

  it('replays missed events once and in order, also those during authentication', async () => {
    // The replies of earlier tests may still be given titles.
    const bob = await t.user().create();
    const wanderer = new ReconnectingClient(await connected(bob.recoveringSocket()));
    const first = await bob.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    const second = await bob.createConversation();
    const auth = t.app.get(AuthService);
    const authenticate = auth.authenticate.bind(auth);
    let third: Thing | undefined;
    const spy = jest.spyOn(auth, 'authenticate').mockImplementation(async (token) => {
      third = await bob.createConversation();
      return authenticate(token);
    });

    expect(await wanderer.comeBack()).toBe(true);
    spy.mockRestore();
    const fourth = await bob.createConversation();

    await wanderer.log.until(({ conversation }) => (conversation as Thing)?.id === fourth.id);
    const ids = wanderer.log.events.map(({ conversation }) => (conversation as Thing).id);
    expect(ids).toEqual([first.id, second.id, third!.id, fourth.id]);
  });

  it.each([
    ['another user’s token', 'unauthenticated'],
    ['a revoked token', 'token_revoked'],
  ])('is refused with %s, without a replay', async (token, code) => {
    const [user, bob] = [await t.user().create(), await t.user().create()];
    const device = await user.signInAgain();
    const wanderer = new ReconnectingClient(await connected(device.recoveringSocket()));
    await user.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    await user.createConversation({ title: 'Secret' });
    if (token === 'a revoked token') await user.post('/auth/sessions/revoke-others');
    else wanderer.socket.io.auth = { token: bob.tokens.access_token, recovery: true };
    const received: string[] = [];
    const manager = wanderer.socket.io.io as unknown as {
      on(event: string, listener: (p: object) => void): void;
    };
    manager.on('packet', (packet) => received.push(JSON.stringify(packet)));

    const refused = once(wanderer.socket.io as never, 'connect_error');
    wanderer.socket.io.connect();
    const [error] = (await refused) as [ConnectError];

    expect(error.data).toMatchObject({ status: 401, code });
    expect(received.join()).not.toContain('Secret');
  });

  it('is not offered to a client that missed more than the buffer keeps', async () => {
    const wanderer = new ReconnectingClient(await connected(ada.recoveringSocket()));
    const { id } = await ada.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    await wanderer.lose();
    provider.willStream('x'.repeat(600_000), 'x'.repeat(600_000));
    await ada.send(id, 'Hi');

    expect(await wanderer.comeBack()).toBe(false);
    const ack = await wanderer.socket.emit<Thing>('conversation.open', { conversation_id: id });
    expect((ack.data.messages as Thing[])[1]!.content).toHaveLength(1_200_000);
  });

  it('is not offered unless requested, and events then carry only their body', async () => {
    const user = await t.user().withConfig(provider).create();
    const [plain, recovering] = [
      new ReconnectingClient(await connected(user.socket())),
      user.recoveringSocket(),
    ];
    const heard = new Map<SocketClient, unknown[][]>([plain.socket, recovering].map((each) => [each, []]));
    for (const [{ io }, calls] of heard) io.onAny((...call: unknown[]) => calls.push(call));
    await connected(recovering);

    const { id } = await user.createConversation();
    for (const socket of heard.keys()) await socket.emit('conversation.open', { conversation_id: id });
    await user.send(id, 'Hi');
    await user.post(`/conversations/${id}/delete`);
    for (const socket of heard.keys()) await socket.until(({ type }) => type === 'conversation.deleted');

    const lengths = (socket: SocketClient) =>
      heard.get(socket)!.map(([type, ...args]) => [type === 'message.delta', args.length]);
    expect(heard.get(plain.socket)!.length).toBeGreaterThan(6);
    expect(lengths(plain.socket).filter(([, count]) => count !== 1)).toEqual([]);
    expect(lengths(recovering).filter(([isDelta, count]) => count !== (isDelta ? 1 : 2))).toEqual([]);
    await plain.lose();
    expect(await plain.comeBack()).toBe(false);
  });

  it('restores a state for one connection only', async () => {
    const wanderer = new ReconnectingClient(await connected(ada.recoveringSocket()));
    await ada.createConversation();
    await wanderer.log.until(({ type }) => type === 'conversation.created');
    const { _pid, _lastOffset } = wanderer.socket.io as unknown as { _pid: string; _lastOffset: string };
    await wanderer.lose();
    expect(await wanderer.comeBack()).toBe(true);

    const twin = ada.socket({ auth: { token: ada.tokens.access_token, pid: _pid, offset: _lastOffset } });
    await twin.connected;

    expect(twin.io.id).not.toBe(wanderer.socket.io.id);
  });
});
