import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Parley } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdkFor, settled, watchedFetch } from '../support/clients/sdk.js';
import { FlakyProxy } from '../support/infrastructure/flaky-proxy.js';

describe('the list of conversations of @parley/client', () => {
  let t: TestApp;
  let ada: TestUser;
  let parley: Parley;

  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());
  beforeEach(async () => {
    ada = await t.user().withConfig(t.provider).create();
    parley = await sdkFor(t, ada);
  });

  const titles = (client = parley) =>
    client.conversations.getSnapshot().conversations.map(({ title }) => title);
  const stored = async () => {
    const { body } = await ada.get<{ conversations: { title: string }[] }>('/conversations?limit=100');
    return body.conversations.map(({ title }) => title);
  };
  const observed = async (client = parley) => {
    client.conversations.subscribe(() => undefined);
    await settled(client.conversations, ({ status }) => status === 'ready');
    await settled(client.connection, (state) => state === 'live');
  };

  it('creates, renames, pins, archives and deletes, and keeps the server’s order', async () => {
    await observed();
    const ids: number[] = [];
    for (const title of ['One', 'Two', 'Three']) ids.push((await parley.conversations.create({ title })).id);
    expect(titles()).toEqual(['Three', 'Two', 'One']);

    await parley.conversations.pin(ids[0]!);
    await parley.conversations.rename(ids[1]!, 'Second');
    expect(titles()).toEqual(['One', 'Three', 'Second']);
    await parley.conversations.archive(ids[2]!);
    await parley.conversations.pin(ids[0]!, false);
    expect(titles()).toEqual(['Second', 'One']);
    expect(titles()).toEqual(await stored());
    await parley.conversations.archive(ids[2]!, false);
    expect(titles()).toEqual(await stored());

    await parley.conversations.delete(ids[1]!);
    expect(titles()).toEqual(await stored());
  });

  it('shows what other devices do', async () => {
    await observed();
    const { id } = await ada.createConversation({ title: 'Theirs' });
    const other = await ada.createConversation({ title: 'Other' });
    await settled(parley.conversations, () => titles().length === 2);
    await ada.send(id, 'Hi');
    await settled(parley.conversations, () => titles()[0] === 'Theirs');
    await ada.post(`/conversations/${id}/update`, { title: 'Renamed', archived: true });
    await settled(parley.conversations, () => titles().join() === 'Other');

    await ada.post(`/conversations/${other.id}/delete`);

    await settled(parley.conversations, () => titles().length === 0);
  });

  it('loads page by page, each once, while the list changes', async () => {
    const ids: number[] = [];
    for (let n = 0; n < 45; n++) ids.push((await ada.createConversation({ title: `C${n}` })).id);
    await observed();
    expect(parley.conversations.getSnapshot()).toMatchObject({ hasMore: true });
    expect(titles()).toHaveLength(20);
    await ada.send(ids[0]!, 'Hi');
    await settled(parley.conversations, () => titles()[0] === 'C0');

    await Promise.all([parley.conversations.loadMore(), parley.conversations.loadMore()]);
    while (parley.conversations.getSnapshot().hasMore) await parley.conversations.loadMore();

    expect(titles()).toEqual(await stored());
  });

  it('is read again after it was offline', async () => {
    const proxy = t.opened(await FlakyProxy.start(() => Number(new URL(t.url).port), 1));
    const client = await sdkFor(t, ada, { baseUrl: proxy.url, reconnect: { initialMs: 10, maxMs: 50 } });
    await observed(client);
    proxy.flakiness = { halves: 1, drops: 0, delays: 0, maxDelayMs: 0 };
    proxy.breakAll();
    await settled(client.connection, (state) => state === 'offline');
    await ada.createConversation({ title: 'Meanwhile' });

    proxy.calmDown();

    await settled(client.conversations, () => titles(client).join() === 'Meanwhile');
  });

  it('says why it could not be read, and reads again when asked', async () => {
    const watched = watchedFetch();
    const client = await sdkFor(t, ada, { fetch: watched.fetch });
    watched.before = (path) => {
      if (path.endsWith('/conversations')) throw new TypeError('no route');
      return undefined;
    };
    client.conversations.subscribe(() => undefined);
    const { error } = await settled(client.conversations, ({ status }) => status === 'failed');
    expect(error).toMatchObject({ code: 'network_error' });
    watched.before = undefined;

    await client.conversations.refresh();

    expect(client.conversations.getSnapshot()).toMatchObject({ status: 'ready', error: null });
  });

  it('is not notified of a reply’s text', async () => {
    const { id } = await parley.conversations.create({ title: 'Mine' });
    await observed();
    let notified = 0;
    parley.conversations.subscribe(() => notified++);
    t.provider.willStream(...Array.from({ length: 50 }, (_, n) => `word ${n} `));

    await parley.conversation(id).send('Talk').done;

    expect(notified).toBeLessThan(5);
  });

  it('is another user’s after a change of user', async () => {
    await parley.conversations.create({ title: 'Ada’s' });
    await observed();
    const grace = await t.user().create();
    await parley.auth.logout();
    expect(titles()).toEqual([]);

    await parley.auth.login({ email: grace.email, password: grace.password });
    await settled(parley.conversations, ({ status }) => status === 'ready');
    await settled(parley.connection, (state) => state === 'live');

    expect(titles()).toEqual([]);
    await grace.createConversation({ title: 'Grace’s' });
    await settled(parley.conversations, () => titles().join() === 'Grace’s');
  });
});
