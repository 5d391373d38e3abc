/** Stopping a reply. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { countTokens } from '../../src/ai/tokenizer/tokenizer.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { gate, type PlayedProvider } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t.stop());

describe('stopping a reply', () => {
  // The first estimate of a process loads its vocabulary, which holds up a busy machine: the played provider as well.
  beforeAll(() => countTokens(['']));

  it('ends the reply, closes the provider’s connection and keeps the text', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('so far', gate(), 'never');
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until((event) => event.type === 'message.delta');

    const before = Date.now();
    const { status, body } = await ada.post(`/conversations/${id}/stop`);
    await provider.chats.at(-1)!.closed;

    expect(Date.now() - before).toBeLessThan(1000);
    expect(status).toBe(200);
    expect(body).toMatchObject({ content: 'so far', status: 'stopped', usage: { estimated: true } });
    await sse.ended;
    expect(sse.events.at(-1)).toMatchObject({ type: 'message.completed', message: { status: 'stopped' } });
    expect((await ada.history(id))[1]).toEqual(body);
  });

  /** Connects. @returns a function that requests the stop */
  type Stopper = (user: TestUser, id: number) => Promise<() => Promise<unknown>>;
  const overSocketIo: Stopper = async (user, id) => {
    const socket = user.socket();
    await socket.connected;
    return () => socket.emit('chat.stop', { conversation_id: id });
  };
  const overWebSocket: Stopper = async (user, id) => {
    const ws = user.ws(id);
    await ws.opened;
    return () => ws.request('chat.stop');
  };

  it.each<[string, Stopper]>([
    ['chat.stop over Socket.IO', overSocketIo],
    ['chat.stop over WebSocket', overWebSocket],
    ['the conversation’s deletion', async (user, id) => () => user.post(`/conversations/${id}/delete`)],
    [
      'the account’s deletion',
      async (user) => () => user.post('/auth/me/delete', { current_password: user.password }),
    ],
  ])('closes the provider’s connection within a second of %s', async (_, prepare) => {
    const bob = await t.user().withConfig(provider).create();
    const { id } = await bob.createConversation();
    const stop = await prepare(bob, id);
    provider.willStream('so far', gate());
    const sse = await bob.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until((event) => event.type === 'message.delta');
    const upstream = provider.chats.at(-1)!;

    const before = Date.now();
    await stop();
    await upstream.closed;

    expect(upstream.closedAt! - before).toBeLessThan(1000);
    await sse.ended;
  });

  it('answers 409 when no reply runs', async () => {
    const { id } = await ada.createConversation();

    expect(await ada.post(`/conversations/${id}/stop`)).toMatchObject({
      status: 409,
      body: { code: 'no_reply_running' },
    });
  });

  it('precedes the deletion of a conversation', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('so far', gate());
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until((event) => event.type === 'message.delta');

    const { status } = await ada.post(`/conversations/${id}/delete`);

    expect(status).toBe(204);
    await provider.chats.at(-1)!.closed;
    await sse.ended;
    expect((await ada.get(`/conversations/${id}`)).status).toBe(404);
  });
});
