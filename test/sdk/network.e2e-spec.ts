import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { LiveSocket } from '../../sdk/typescript/src/live/live-socket.js';
import type { ConversationStore } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdk, sdkFor, settled, sharedStorage, storeTokenWithSecondsLeft } from '../support/clients/sdk.js';
import { FlakyProxy } from '../support/infrastructure/flaky-proxy.js';
import { gate, pause } from '../support/provider/provider.js';

const FAST = { initialMs: 10, maxMs: 100 };

describe('@parley/client on a bad network', () => {
  let t: TestApp;
  let ada: TestUser;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());

  /** While the server restarts, where it was. */
  let port = 0;
  const portOf = () => {
    const address = t.app.getHttpServer().address() as { port: number } | null;
    return (port = address?.port ?? port);
  };
  const proxied = async (seed: number) => t.opened(await FlakyProxy.start(portOf, seed));

  /** The messages that are stored, and those that the client shows. */
  async function compare(conversation: ConversationStore): Promise<void> {
    const stored = await ada.history(conversation.id);
    const shown = conversation
      .getSnapshot()
      .messages.map(({ key: _key, failure: _failure, uploads: _uploads, ...each }) => each);
    expect(shown).toEqual(stored);
  }

  it('sends once where the acknowledgement is lost', async () => {
    const proxy = await proxied(1);
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.connection, (state) => state === 'live');
    const requests = t.provider.chats.length;
    t.provider.willStream('Once');
    proxy.flakiness = { halves: 0, drops: 0, delays: 1, maxDelayMs: 0 };

    const reply = conversation.send('Hi');
    await t.provider.waitForRequests(requests + 1);
    proxy.breakAll();
    proxy.calmDown();

    expect(await reply.done).toMatchObject({ content: 'Once' });
    await compare(conversation);
    expect(t.provider.chats.length).toBe(requests + 1);
  });

  it('queues messages while offline and sends them in order', async () => {
    const proxy = await proxied(2);
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(conversation, ({ status }) => status === 'ready');
    proxy.flakiness = { halves: 1, drops: 0, delays: 0, maxDelayMs: 0 };
    proxy.breakAll();
    await settled(client.connection, (state) => state === 'offline');
    t.provider.willStream('1').willStream('2');
    const replies = [conversation.send('A'), conversation.send('B')];
    expect(conversation.getSnapshot().messages.map(({ status }) => status)).toEqual(['sending', 'sending']);

    proxy.calmDown();

    await Promise.all(replies.map((each) => each.done));
    await compare(conversation);
    expect(conversation.getSnapshot().messages.map(({ content }) => content)).toEqual(['A', '1', 'B', '2']);
  });

  it('follows a reply through a restart of the server, and the next one after it', async () => {
    const proxy = await proxied(3);
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const states: string[] = [];
    client.connection.subscribe(() => states.push(client.connection.getSnapshot()));
    const conversation = client.conversation((await client.conversations.create()).id);
    const never = gate();
    t.provider.willStream('Before the restart', never);
    const reply = conversation.send('Hi');
    await settled(conversation, ({ running }) => running?.content === 'Before the restart');

    await t.restart();

    expect(await reply.done).toMatchObject({ content: 'Before the restart', status: 'interrupted' });
    t.provider.willStream('After it');
    expect(await conversation.send('Again').done).toMatchObject({ content: 'After it' });
    await compare(conversation);
    expect(states).toEqual(expect.arrayContaining(['connecting', 'live']));
  });

  it('goes on when the access token expires in the middle of a reply', async () => {
    const storage = sharedStorage();
    await sdkFor(t, ada, { storage });
    storeTokenWithSecondsLeft(t, storage, 2);
    const client = sdk(t, { storage, reconnect: FAST });
    await client.auth.ready;
    const token = storage.session!.access_token;
    let connections = 0;
    client.connection.opened.on(() => connections++);
    const conversation = client.conversation((await client.conversations.create()).id);
    t.provider.willStream('One ', pause(2500), 'two ', pause(500), 'three');

    const reply = conversation.send('Count');
    let text = '';
    for await (const piece of reply) text += piece;

    expect(text).toBe('One two three');
    expect(connections).toBe(1);
    expect(storage.session!.access_token).not.toBe(token);
    await compare(conversation);
  });

  it('reconnects with a new token when the old one has expired', async () => {
    const storage = sharedStorage();
    await sdkFor(t, ada, { storage });
    storeTokenWithSecondsLeft(t, storage, -10);
    const client = sdk(t, { storage, reconnect: FAST });
    await client.auth.ready;

    client.connection.need();

    await settled(client.connection, (state) => state === 'live');
  });

  it('tests its connection when it wakes up, and replaces one that is dead', async () => {
    const proxy = await proxied(4);
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.connection, (state) => state === 'live');
    const { id } = conversation;
    proxy.breakAll();

    client.connection.wake();

    await ada.send(id, 'From another device');
    await settled(conversation, ({ messages }) => messages.length === 2);
    await compare(conversation);
  });

  it('notices at once a WebSocket that closes before Socket.IO’s handshake', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (socket) => socket.close());
    await once(server, 'listening');
    const { port: closing } = server.address() as AddressInfo;
    const started = performance.now();
    const socket = new LiveSocket(`http://127.0.0.1:${closing}`, ['websocket'], 'token', () => undefined);

    await expect(socket.connect()).rejects.toMatchObject({ code: 'network_error' });

    expect(performance.now() - started).toBeLessThan(5_000);
    server.close();
  });
});
