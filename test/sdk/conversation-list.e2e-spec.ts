import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Parley } from '../../sdk/typescript/src/index.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { sdkFor, settled, watchedFetch } from '../support/clients/sdk.js';
import { until } from '../support/infrastructure/until.js';

describe('the list of conversations of @parley/client', () => {
  let t: TestApp;
  let ada: TestUser;
  let watched: ReturnType<typeof watchedFetch>;
  let parley: Parley;

  beforeAll(async () => {
    t = await startTestApp();
  });
  afterAll(() => t.stop());
  beforeEach(async () => {
    ada = await t.user().create();
    watched = watchedFetch();
    parley = await sdkFor(t, ada, { fetch: watched.fetch });
  });

  const list = () => parley.conversations;
  const titles = () =>
    list()
      .getSnapshot()
      .conversations.map(({ title }) => title);
  const observe = () => list().subscribe(() => undefined);
  const ready = () => settled(list(), ({ status }) => status === 'ready');

  it('is loading the first time and after a failure, and not when it is read again', async () => {
    const seen: string[] = [];
    list().subscribe(() => seen.push(list().getSnapshot().status));
    await ready();
    await list().refresh();
    watched.before = (path) => {
      if (path === '/conversations') throw new TypeError('no route');
      return undefined;
    };
    await expect(list().refresh()).rejects.toThrow();
    watched.before = undefined;
    await list().refresh();

    expect(seen.filter((status, n) => status !== seen[n - 1])).toEqual([
      'loading',
      'ready',
      'failed',
      'loading',
      'ready',
    ]);
    expect(list().getInitialSnapshot()).toMatchObject({ status: 'idle', hasMore: false });
  });

  it('has the next page once it is loaded, of the size that is asked for', async () => {
    for (let n = 0; n < 30; n++) await ada.createConversation({ title: `C${n}` });
    await list().refresh();
    expect(titles()).toHaveLength(20);
    await list().loadMore(4);
    expect(titles()).toHaveLength(24);
    expect(list().getSnapshot().hasMore).toBe(true);
    await list().refresh();
    expect(titles()).toHaveLength(24);
    await list().loadMore();
    expect(titles()).toHaveLength(30);
    expect(list().getSnapshot().hasMore).toBe(false);
    const requests = watched.count('/conversations');
    await list().loadMore();
    expect(watched.count('/conversations')).toBe(requests);
  });

  it('keeps what changes meanwhile', async () => {
    const { id } = await ada.createConversation({ title: 'Deleted' });
    const other = await ada.createConversation({ title: 'Before' });
    observe();
    await ready();
    await settled(parley.connection, (state) => state === 'live');
    const held = watched.hold('GET', '/conversations');
    const reading = list().refresh();
    await until(held.arrived);
    await list().delete(id);
    await list().rename(other.id, 'After');
    await list().create({ title: 'New' });
    held.open();
    await reading;

    expect(titles()).toEqual(['New', 'After']);
    // A later read shows what is stored, whatever changed before.
    await settled(list(), () => titles().length === 2);
    await list().refresh();
    expect(titles()).toEqual(['New', 'After']);
  });

  it('leaves what belongs on a later page to it', async () => {
    const ids: number[] = [];
    for (let n = 0; n < 21; n++) ids.push((await ada.createConversation({ title: `C${n}` })).id);
    for (const id of ids.slice(-20)) await ada.post(`/conversations/${id}/update`, { pinned: true });
    await list().refresh();
    await list().update(ids[0]!, { title: 'Renamed' });
    expect(titles()).not.toContain('Renamed');
    await list().loadMore();
    expect(titles()).toEqual([...titles().slice(0, 20), 'Renamed']);
  });
});
