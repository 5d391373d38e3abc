import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConversationStore } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdk, sdkFor, settled, sharedStorage, type SharedStorage } from '../support/clients/sdk.js';
import { PrefixProxy } from '../support/infrastructure/prefix-proxy.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';

const FAST = { initialMs: 10, maxMs: 100 };

describe('undelivered requests of @parley/client', () => {
  let t: TestApp;
  let ada: TestUser;
  let proxy: PrefixProxy;
  let isOffline = false;

  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
    const { url } = t;
    proxy = await PrefixProxy.start('', () => url);
    proxy.judge = () => (isOffline ? 'reset' : 'pass');
  });
  afterAll(async () => {
    proxy.stop();
    await t.stop();
  });

  const goOffline = () => {
    isOffline = true;
    proxy.breakAll();
  };

  /** A client whose conversation is open, then its line is cut. */
  async function offline(storage: SharedStorage) {
    isOffline = false;
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, storage, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    await settled(conversation, ({ status }) => status === 'ready');
    goOffline();
    return { client, conversation };
  }

  const reload = (storage: SharedStorage) => sdk(t, { baseUrl: proxy.url, storage, reconnect: FAST });
  const contents = (conversation: ConversationStore) =>
    conversation.getSnapshot().messages.map(({ content }) => content);
  const stored = async (id: number) => (await ada.history(id)).map(({ content }) => content);

  it('delivers messages that were queued before a reload, in order, without being opened', async () => {
    const storage = sharedStorage();
    const { client, conversation } = await offline(storage);
    t.provider.willStream('1').willStream('2').willStream('3');
    conversation.send('A');
    conversation.send('B', { config_id: ada.configId });
    await until(() => storage.drafts.length === 2);
    client.close();
    const reloaded = reload(storage);
    await reloaded.auth.ready;

    isOffline = false;
    const last = await reloaded.conversation(conversation.id).send('C').done;

    expect(last.content).toBe('3');
    expect(await stored(conversation.id)).toEqual(['A', '1', 'B', '2', 'C', '3']);
    expect(contents(reloaded.conversation(conversation.id))).toEqual(['A', '1', 'B', '2', 'C', '3']);
    await until(() => storage.drafts.length === 0);
  });

  it('shows what was queued before a reload while still offline', async () => {
    const storage = sharedStorage();
    const { client, conversation } = await offline(storage);
    conversation.send('Later');
    await until(() => storage.drafts.length === 1);
    client.close();

    const restored = reload(storage).conversation(conversation.id);

    await settled(restored, ({ messages }) => messages.length === 1);
    expect(restored.getSnapshot().messages).toMatchObject([
      { content: 'Later', status: 'sending', id: null },
    ]);
    restored.remove(restored.getSnapshot().messages[0]!.key);
    await until(() => storage.drafts.length === 0);
  });

  it('sends once what was delivered just before the reload', async () => {
    const storage = sharedStorage();
    isOffline = false;
    const client = await sdkFor(t, ada, { storage });
    const { id } = await client.conversations.create();
    const requests = t.provider.chats.length;
    const end = gate();
    t.provider.willStream('On', end, 'ce');
    const sent = client.conversation(id).send('Hi');
    const { user_message } = await sent.accepted;
    await until(() => storage.drafts.length === 0);
    // As a reload before the answer leaves it.
    const body = { conversation_id: id, content: 'Hi', client_message_id: user_message.client_message_id! };
    storage.drafts = [{ user_id: ada.id, draft: { command: 'chat.send', body } }];
    client.close();

    const restored = sdk(t, { storage }).conversation(id);
    await settled(restored, ({ running }) => running?.content === 'On');
    end.open();
    await settled(restored, ({ running, messages }) => !running && messages.length === 2);

    expect(await stored(id)).toEqual(['Hi', 'Once']);
    expect(t.provider.chats.length).toBe(requests + 1);
  });

  it('keeps the messages of another user, and forgets one’s own at logout', async () => {
    const storage = sharedStorage();
    const { client, conversation } = await offline(storage);
    conversation.send('Of Ada');
    await until(() => storage.drafts.length === 1);
    const [draft] = storage.drafts;
    storage.drafts = [...storage.drafts, { ...draft!, user_id: ada.id + 1000 }];

    await client.auth.logout();

    await until(() => storage.drafts.length === 1);
    expect(storage.drafts[0]!.user_id).toBe(ada.id + 1000);
  });

  it('keeps nothing of a message that was refused', async () => {
    const storage = sharedStorage();
    isOffline = false;
    const client = await sdkFor(t, ada, { storage });
    const conversation = client.conversation((await client.conversations.create()).id);

    await expect(conversation.send(' ').done).rejects.toMatchObject({ code: 'validation_failed' });

    await until(() => storage.drafts.length === 0);
  });

  it('regenerates once where the answer is lost', async () => {
    isOffline = false;
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: FAST });
    const conversation = client.conversation((await client.conversations.create()).id);
    conversation.subscribe(() => undefined);
    const first = await conversation.send('Q').done;
    const requests = t.provider.chats.length;
    const end = gate();
    t.provider.willStream('se', end, 'cond');
    const lost = proxy.loseAnswers();

    const reply = conversation.regenerate();
    await t.provider.waitForRequests(requests + 1);
    goOffline();
    lost.end();
    isOffline = false;
    await settled(conversation, ({ running }) => running?.content === 'se', 20_000);
    end.open();

    const second = await reply.done;
    expect(second).toMatchObject({ content: 'second', sibling_ids: [first.id, reply.id] });
    expect(t.provider.chats.length).toBe(requests + 1);
  });

  it('regenerates after being offline', async () => {
    const { conversation } = await offline(sharedStorage());
    isOffline = false;
    const first = await conversation.send('Q').done;
    const requests = t.provider.chats.length;
    goOffline();
    t.provider.willStream('second');

    const reply = conversation.regenerate();
    await new Promise((resolve) => setImmediate(resolve));
    isOffline = false;

    expect((await reply.done).sibling_ids).toEqual([first.id, reply.id]);
    expect(t.provider.chats.length).toBe(requests + 1);
  });

  it('finds a regenerated reply that ended while offline, on a branch that was left', async () => {
    const { conversation } = await offline(sharedStorage());
    isOffline = false;
    const first = await conversation.send('Q').done;
    const end = gate();
    t.provider.willStream('se', end, 'cond');
    const reply = conversation.regenerate();
    await settled(conversation, ({ running }) => running?.content === 'se');
    goOffline();
    end.open();
    const isEnded = async () => (await ada.history(conversation.id)).at(-1)?.status === 'complete';
    await until(isEnded);
    const { status } = await ada.post(`/conversations/${conversation.id}/messages/${first.id}/activate`);
    expect(status).toBe(200);
    isOffline = false;

    expect(await reply.done).toMatchObject({ id: reply.id, content: 'second', status: 'complete' });
    await settled(conversation, ({ messages }) => messages.at(-1)?.id === first.id);
  });

  it('regenerates the last reply of a conversation that was not opened', async () => {
    isOffline = false;
    const { id } = await ada.createConversation();
    await ada.send(id, 'Q');
    const client = await sdkFor(t, ada);
    t.provider.willStream('second');

    expect(await client.conversation(id).regenerate().done).toMatchObject({ content: 'second' });
  });
});
