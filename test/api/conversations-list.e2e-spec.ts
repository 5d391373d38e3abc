/** Lists of conversations: order, filters, pages. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { invalidFields } from '../support/clients/problems.js';
import { conversationCalls, type ListAnswer } from '../support/clients/conversations.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let eve: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  eve = await t.user().create();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
});

const { update, remove, list, titles } = conversationCalls(() => ada);

describe('listing conversations', () => {
  it('sorts pinned ones first, then by latest activity', async () => {
    const ids: number[] = [];
    for (const title of ['one', 'two', 'three', 'four'])
      ids.push((await ada.createConversation({ title })).id);
    await update(ids[1]!, { pinned: true });
    await t.manager.update(Conversation, { id: ids[0] }, { updatedAt: new Date(Date.now() + 60_000) });

    expect(await titles()).toEqual(['two', 'one', 'four', 'three']);
  });

  it('sorts activity of the same millisecond by id', async () => {
    const ids: number[] = [];
    for (let i = 0; i < 5; i++) ids.push((await ada.createConversation()).id);
    await t.manager.update(Conversation, { userId: ada.id }, { updatedAt: new Date() });

    expect((await list()).conversations.map(({ id }) => id)).toEqual(ids.reverse());
  });

  it('pages by limit and offset, and counts all', async () => {
    for (let i = 0; i < 25; i++) await ada.createConversation({ title: `n${i}` });

    const first = await list();
    expect(first).toMatchObject({ total: 25, limit: 20, offset: 0 });
    expect(first.conversations).toHaveLength(20);
    expect(await list('?limit=3&offset=24')).toMatchObject({ total: 25, conversations: [{ title: 'n0' }] });
    expect((await list('?limit=100')).conversations).toHaveLength(25);
    expect((await list('?offset=25')).conversations).toEqual([]);
  });

  it('lists archived ones only on request', async () => {
    const { id } = await ada.createConversation({ title: 'old' });
    await ada.createConversation({ title: 'new' });
    await update(id, { archived: true });

    expect(await titles()).toEqual(['new']);
    expect(await titles('?archived=false')).toEqual(['new']);
    expect(await titles('?archived=true')).toEqual(['old']);
    expect((await list('?archived=true')).total).toBe(1);
  });

  it('counts correctly while conversations are created, archived and deleted concurrently', async () => {
    const made = await Promise.all(Array.from({ length: 12 }, () => ada.createConversation()));
    const ids = made.map(({ id }) => id);
    const twice = (id: number, archived: boolean) =>
      Promise.all([update(id, { archived }), update(id, { archived, pinned: true })]);
    await Promise.all(ids.slice(0, 6).map((id) => twice(id, true)));
    await Promise.all([
      ...ids.slice(0, 2).map((id) => twice(id, false)),
      ...ids.slice(2, 4).map((id) => Promise.all([remove(id), remove(id)])),
      ...ids.slice(6, 8).map((id) => Promise.all([remove(id), update(id, { archived: true })])),
      ada.createConversation(),
    ]);

    for (const archived of [false, true]) {
      const { conversations, total } = await list(`?archived=${archived}&limit=100`);
      expect(total).toBe(conversations.length);
    }
    expect((await list()).total).toBe(7);
    expect((await list('?archived=true')).total).toBe(2);
  });

  it('finds text in titles, literally and in any case', async () => {
    for (const title of ['100% sure', '1000 sure', 'Under_score', 'UnderXscore', 'back\\slash', "it's 😀"])
      await ada.createConversation({ title });

    expect(await titles('?q=100%25')).toEqual(['100% sure']);
    expect(await titles('?q=under_')).toEqual(['Under_score']);
    expect(await titles('?q=UNDERX')).toEqual(['UnderXscore']);
    expect(await titles('?q=%5C')).toEqual(['back\\slash']);
    expect(await titles(`?q=${encodeURIComponent("'s 😀")}`)).toEqual(["it's 😀"]);
    expect(await list('?q=sure&limit=1')).toMatchObject({ total: 2, limit: 1 });
    expect(await titles(`?q=${encodeURIComponent("' OR '1'='1")}`)).toEqual([]);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=1e1', 'limit'],
    ['limit=0x10', 'limit'],
    ['limit=', 'limit'],
    ['limit=%2010', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['offset=-1', 'offset'],
    ['offset=9223372036854775808', 'offset'],
    ['offset=0&offset=0', 'offset'],
    ['archived=yes', 'archived'],
    ['archived=1', 'archived'],
    ['archived=true&archived=true', 'archived'],
    ['q=&q=', 'q'],
    ['archived=&archived=', 'archived'],
    ['q=%00', 'q'],
    ['q=a&q=b', 'q'],
    [`q=${'a'.repeat(201)}`, 'q'],
  ])('refuses ?%s', async (query, field) => {
    expect(invalidFields(await ada.get(`/conversations?${query}`))).toEqual([field]);
  });

  it.each(['?q=', '?q', '?archived=', '?archived', '?q=&archived='])(
    'treats %s, as a form sends it, as absent',
    async (query) => {
      const carol = await t.user().create();
      const { id } = await carol.createConversation();
      const old = await carol.createConversation();
      await carol.post(`/conversations/${old.id}/update`, { archived: true });

      const { status, body } = await carol.get<{ conversations: Thing[] }>(`/conversations${query}`);

      expect([status, body.conversations.map((each) => each.id)]).toEqual([200, [id]]);
    },
  );

  it('treats an empty before_id or search as absent', async () => {
    const { id } = await ada.createConversation();

    expect((await ada.get(`/conversations/${id}?before_id=`)).status).toBe(200);
    expect((await ada.get('/conversations/search?q=a&before_id=')).status).toBe(200);
    expect(invalidFields(await ada.get('/conversations/search?q='))).toEqual(['q']);
  });

  it('reports all invalid parameters, and ignores unknown ones', async () => {
    expect(invalidFields(await ada.get('/conversations?limit=0&offset=x&foo=1')).sort()).toEqual([
      'limit',
      'offset',
    ]);
    expect((await ada.get('/conversations?foo=1&limit[]=500&__proto__=1')).status).toBe(200);
  });
});

describe('pages of conversations by cursor', () => {
  const after = (cursor: string, rest = '') => list(`?cursor=${encodeURIComponent(cursor)}${rest}`);
  const idsOf = ({ conversations }: ListAnswer) => conversations.map(({ id }) => id);

  /** @returns their ids in the order of the list, the first three pinned */
  async function fill(count: number): Promise<number[]> {
    for (let i = 0; i < count; i++) await ada.createConversation({ title: `n${i}` });
    const ids = idsOf(await list('?limit=100'));
    for (const id of ids.slice(0, 3)) await update(id, { pinned: true });
    return ids;
  }

  /** Walks through the list. @param between two pages; gets what came so far */
  async function walk(query: string, between?: (seen: number[]) => Promise<unknown>): Promise<number[]> {
    const seen: number[] = [];
    let answer = await list(query);
    for (;;) {
      seen.push(...idsOf(answer));
      if (answer.next_cursor === null) return seen;
      await between?.(seen);
      answer = await after(answer.next_cursor, query.replace('?', '&'));
    }
  }

  it.each([1, 2, 3, 4, 5, 9, 10, 11, 100])('cover the whole list in order, %d at a time', async (limit) => {
    const ids = await fill(10);

    expect(await walk(`?limit=${limit}`)).toEqual(ids);
    expect(await list('?limit=4&offset=4')).toMatchObject({ offset: 4, total: 10 });
    expect(idsOf(await after((await list('?limit=4&offset=2')).next_cursor!))).toEqual(ids.slice(6));
  });

  it('continue when conversations of one millisecond span two pages', async () => {
    const ids = await fill(7);
    await t.manager.update(Conversation, { userId: ada.id }, { updatedAt: new Date(1_700_000_000_123) });

    expect(await walk('?limit=2')).toEqual(ids);
  });

  it('keep the filter for archived ones or for text', async () => {
    const ids = await fill(6);
    for (const id of ids.slice(1, 5)) await update(id, { archived: true });
    await update(ids[2]!, { title: 'ПРИВЕТ 1' });
    await update(ids[4]!, { title: 'привет 2' });

    expect(await walk('?limit=1&archived=true')).toEqual(ids.slice(1, 5));
    expect(await walk('?limit=1')).toEqual([ids[0], ids[5]]);
    expect(await walk(`?limit=1&archived=true&q=${encodeURIComponent('Привет')}`)).toEqual([ids[2], ids[4]]);
  });

  /** The first three are pinned, a page has two, and each change comes after the second page. */
  const CHANGES: [name: string, change: (ids: number[]) => Promise<unknown>, gone?: number][] = [
    ['new ones come', () => ada.createConversation({ title: 'new' })],
    ['one that was seen is deleted', (ids) => remove(ids[1]!)],
    ['one that is to come is deleted', (ids) => remove(ids[6]!), 6],
    ['the last that was seen is deleted', (ids) => remove(ids[3]!)],
    ['one that was seen gets a message', (ids) => ada.send(ids[3]!, 'Hi')],
    ['one that is to come gets a message', (ids) => ada.send(ids[8]!, 'Hi')],
    ['one that is to come gets two', (ids) => ada.send(ids[8]!, 'Hi').then(() => ada.send(ids[8]!, 'You'))],
    [
      'many that are to come get messages',
      (ids) => Promise.all(ids.slice(5, 10).map((id) => ada.send(id, 'Hi'))),
    ],
    ['one that is to come is pinned', (ids) => update(ids[9]!, { pinned: true })],
    [
      'one that is to come is pinned and written to',
      (ids) => update(ids[9]!, { pinned: true }).then(() => ada.send(ids[9]!, 'Hi')),
    ],
    ['one that was seen is pinned', (ids) => update(ids[3]!, { pinned: true })],
    ['one that was seen pinned is unpinned', (ids) => update(ids[0]!, { pinned: false })],
    [
      'one that was seen pinned is written to and unpinned',
      (ids) => ada.send(ids[0]!, 'Hi').then(() => update(ids[0]!, { pinned: false })),
    ],
    ['one that was seen is archived', (ids) => update(ids[2]!, { archived: true })],
    ['one that is to come is renamed', (ids) => update(ids[7]!, { title: 'renamed' })],
  ];

  it.each(CHANGES.map(([name, change, gone]) => ({ name, change, gone })))(
    'neither repeat nor skip a conversation while $name',
    async ({ name, change, gone }) => {
      ada = await t.user().withConfig(t.provider).create();
      for (let i = 0; i < 12; i++) {
        const { id } = await ada.createConversation();
        if (i % 2) await ada.send(id as number, 'first');
      }
      // The oldest are pinned, as then unpinned ones would come again below.
      const old = idsOf(await list('?limit=100')).slice(-3);
      for (const id of old) await update(id, { pinned: true });
      for (const limit of [2, 3, 4]) {
        const ids = idsOf(await list('?limit=100'));
        let turns = 0;
        const seen = await walk(`?limit=${limit}`, () =>
          ++turns === (limit < 4 ? 2 : 1) ? change(ids) : Promise.resolve(),
        );

        expect(new Set(seen).size).toBe(seen.length);
        const missing = ids.filter((id) => !seen.includes(id));
        expect(missing).toEqual(gone === undefined ? [] : [ids[gone]]);
        if (/deleted|archived/.test(name)) return;
      }
    },
  );

  it('include one whose activity is committed after a later one', async () => {
    ada = await t.user().withConfig(t.provider).create();
    const ids = await fill(8);
    const first = await list('?limit=4');
    const updatedAt = new Date();
    await ada.send(ids[3]!, 'Hi');
    const second = await after(first.next_cursor!, '&limit=2');
    await t.manager.update(Conversation, { id: ids[7] }, { updatedAt });
    const third = await after(second.next_cursor!, '&limit=4');

    expect([first, second, third].flatMap(idsOf)).toEqual([...ids.slice(0, 6), ids[7], ids[6]]);
  });

  it('continue after many pinned ones', async () => {
    const ids = await fill(3);
    const row = await t.manager.findOneByOrFail(Conversation, { id: ids[0] });
    await t.manager.insert(
      Conversation,
      Array.from({ length: 150 }, () => ({ ...row, id: undefined })) as object[],
    );

    const seen = await walk('?limit=50', () => update(ids[2]!, { archived: true }));
    expect([seen.length, new Set(seen).size]).toEqual([152, 152]);
  });

  it('neither repeat nor skip a conversation under random concurrent changes', async () => {
    ada = await t.user().withConfig(t.provider).create();
    for (let i = 0; i < 20; i++) await ada.createConversation();
    const ids = idsOf(await list('?limit=100'));
    for (let round = 0; round < 4; round++) {
      let turn = 0;
      const seen = await walk('?limit=3', async () => {
        const at = (step: number) => ids[(turn * 7 + step * 5 + round) % ids.length]!;
        turn++;
        await Promise.all([
          ada.send(at(1), 'Hi'),
          ada.send(at(2), 'Hi'),
          update(at(3), { pinned: turn % 2 === 0 }),
        ]);
        await ada.createConversation({ title: 'new' });
      });
      expect(new Set(seen).size).toBe(seen.length);
      expect(ids.filter((id) => !seen.includes(id))).toEqual([]);
    }
  });

  it('are limited in bytes, long system prompts included', async () => {
    const row = await t.manager.findOneByOrFail(Conversation, { id: (await ada.createConversation()).id });
    const system_prompt = '\u0001'.repeat(100_000);
    const rows = Array.from({ length: 40 }, () => ({ ...row, id: undefined, systemPrompt: system_prompt }));
    await t.manager.insert(Conversation, rows as object[]);

    expect((await list('?limit=100')).conversations.length).toBeLessThan(30);
    const seen = await walk('?limit=100');
    expect(new Set(seen).size).toBe(41);
    expect(seen).toHaveLength(41);
  });

  it.each<[string, (cursor: string) => string]>([
    ['garbage', () => 'garbage'],
    ['one that is cut', (cursor) => cursor.slice(0, -1)],
    ['one with more behind it', (cursor) => `${cursor}A`],
    ['one that was changed', (cursor) => (cursor[0] === 'A' ? 'B' : 'A') + cursor.slice(1)],
    ['one with another end', (cursor) => cursor.slice(0, -2) + (cursor.endsWith('AA') ? 'BB' : 'AA')],
    ['a NUL', () => '\0'],
    ['a long one', () => 'A'.repeat(2049)],
    ['another alphabet', (cursor) => `${cursor}==`],
    ['a position in the clear', () => Buffer.from('1.1.1').toString('base64url')],
  ])('refuse %s', async (_, change) => {
    await fill(4);
    const { next_cursor } = await list('?limit=2');

    const cursor = encodeURIComponent(change(next_cursor!));
    expect(invalidFields(await ada.get(`/conversations?cursor=${cursor}`))).toEqual(['cursor']);
  });

  it('refuse another user’s cursor, another list’s, a duplicate, and an offset beside a cursor', async () => {
    await fill(4);
    const cursor = encodeURIComponent((await list('?limit=2')).next_cursor!);

    expect(invalidFields(await eve.get(`/conversations?cursor=${cursor}`))).toEqual(['cursor']);
    expect(invalidFields(await ada.get(`/conversations?cursor=${cursor}&archived=true`))).toEqual(['cursor']);
    expect(invalidFields(await ada.get(`/conversations?cursor=${cursor}&q=n`))).toEqual(['cursor']);
    expect(invalidFields(await ada.get(`/conversations?cursor=${cursor}&cursor=${cursor}`))).toEqual([
      'cursor',
    ]);
    expect(invalidFields(await ada.get(`/conversations?cursor=${cursor}&offset=2`))).toEqual(['offset']);
    expect(await list(`?cursor=${cursor}&offset=0&archived=false&limit=1`)).toMatchObject({
      limit: 1,
      offset: 0,
    });
    expect(await list('?cursor=&limit=3')).toMatchObject({ conversations: [{}, {}, {}] });
  });
});
