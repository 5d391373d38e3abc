import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConversationStore } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdkFor, settled } from '../support/clients/sdk.js';
import { PrefixProxy, type Verdict } from '../support/infrastructure/prefix-proxy.js';
import { gate } from '../support/provider/provider.js';

const FAST = { initialMs: 20, maxMs: 200 };

describe('@parley/client on a network that blocks WebSockets', () => {
  let t: TestApp;
  let ada: TestUser;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());

  async function behind(judge: PrefixProxy['judge']) {
    const { url } = t;
    const proxy = await PrefixProxy.start('', () => url);
    proxy.judge = judge;
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    t.opened({ close: async () => proxy.stop() });
    return { proxy, client };
  }

  const blocksUpgrades =
    (verdict: Verdict): PrefixProxy['judge'] =>
    (_request, isUpgrade) =>
      isUpgrade ? verdict : 'pass';
  const blocksSocketIo =
    (verdict: Verdict): PrefixProxy['judge'] =>
    ({ url }) =>
      url!.startsWith('/socket.io/') ? verdict : 'pass';

  /** Another device has a reply streamed in two halves; the conversation must show the first before the second. */
  async function followsAnotherDevice(conversation: ConversationStore): Promise<void> {
    const middle = gate();
    const requests = t.provider.chats.length;
    t.provider.willStream('One 👋🏽 ', middle, 'two');
    const sent = ada.send(conversation.id, 'Count');
    await t.provider.waitForRequests(requests + 1);
    await settled(conversation, ({ running }) => running?.content === 'One 👋🏽 ', 20_000);
    middle.open();
    await sent;
    await settled(conversation, ({ messages, running }) => !running && messages.length >= 2);
    await compare(conversation);
  }

  async function compare(conversation: ConversationStore): Promise<void> {
    const shown = conversation
      .getSnapshot()
      .messages.map(({ key: _key, failure: _failure, uploads: _uploads, ...each }) => each);
    expect(shown).toEqual(await ada.history(conversation.id));
  }

  it.each([
    ['refuses upgrades', blocksUpgrades('refuse'), true],
    ['never answers upgrades', blocksUpgrades('hang'), false],
    ['refuses /socket.io/', blocksSocketIo('refuse'), false],
    ['never answers under /socket.io/', blocksSocketIo('hang'), false],
  ] as const)('streams through a proxy that %s', async (_name, judge, isPolling) => {
    const { client } = await behind(judge);
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.status, (status) => status === 'live');
    const middle = gate();
    t.provider.willStream('Half ', middle, 'whole');

    const reply = conversation.send('Hi');
    await settled(conversation, ({ running }) => running?.content === 'Half ');
    middle.open();

    expect(await reply.done).toMatchObject({ content: 'Half whole' });
    await followsAnotherDevice(conversation);
    expect(client.status.getSnapshot()).toBe('live');
    if (isPolling) expect(client.connection.isLive).toBe(true);
  });

  it('resumes the event stream where it broke', async () => {
    const { client, proxy } = await behind(blocksSocketIo('refuse'));
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.status, (status) => status === 'live');
    const [first, second] = [gate(), gate()];
    t.provider.willStream('One ', first, 'two ', second, 'three');
    const texts: string[] = [];
    const reply = conversation.send('Count');
    const reading = (async () => {
      for await (const text of reply) texts.push(text);
    })();
    await settled(conversation, ({ running }) => running?.content === 'One ');

    proxy.breakAll();
    first.open();
    await settled(conversation, ({ running }) => running?.content === 'One two ');
    proxy.breakAll();
    second.open();

    expect(await reply.done).toMatchObject({ content: 'One two three' });
    await reading;
    expect(texts.join('')).toBe('One two three');
    await compare(conversation);
    const resumed = proxy.requests.filter(({ path, lastEventId }) => path.endsWith('/events') && lastEventId);
    expect(resumed.length).toBeGreaterThan(0);
  });

  it('goes back to the socket once it gets through', async () => {
    let isBlocked = true;
    const { client } = await behind((request) =>
      isBlocked ? blocksSocketIo('refuse')(request, false) : 'pass',
    );
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.status, (status) => status === 'live');
    expect(client.connection.isLive).toBe(false);
    const states: string[] = [];
    client.status.subscribe(() => states.push(client.status.getSnapshot()));

    isBlocked = false;

    await settled(conversation, () => client.connection.isLive);
    await followsAnotherDevice(conversation);
    expect(client.status.getSnapshot()).toBe('live');
    expect(states).not.toContain('offline');
  });

  it('keeps the list of conversations current', async () => {
    const { client } = await behind(blocksSocketIo('refuse'));
    client.conversations.subscribe(() => undefined);
    await settled(client.conversations, ({ status }) => status === 'ready');

    const { id } = await ada.createConversation();

    await settled(client.conversations, ({ conversations }) => conversations[0]?.id === id, 20_000);
  });

  it('stops when the conversation is deleted', async () => {
    const { client, proxy } = await behind(blocksSocketIo('refuse'));
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(client.status, (status) => status === 'live');

    await ada.post(`/conversations/${conversation.id}/delete`);

    await settled(conversation, ({ status }) => status === 'deleted');
    const opened = proxy.requests.filter(({ path }) => path.endsWith('/events')).length;
    await settled(client.status, (status) => status === 'offline');
    expect(proxy.requests.filter(({ path }) => path.endsWith('/events'))).toHaveLength(opened);
  });
});
