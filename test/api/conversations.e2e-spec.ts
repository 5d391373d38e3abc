import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationList } from '../../src/conversations/conversation-list.service.js';
import { ConversationsService } from '../../src/conversations/conversations.service.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import { MessageSearch } from '../../src/conversations/search/message-search.js';
import { isMysql } from '../../src/database/data-source.js';
import { EventHub } from '../../src/events/event-hub.js';
import type { ParleyEvent } from '../../src/events/parley-event.js';
import { BLANK, writeMessages } from '../support/app/messages.js';
import { until } from '../support/app/process.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Answer, Thing } from '../support/clients/http.js';
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

interface ListAnswer {
  conversations: Thing[];
  total: number;
  limit: number;
  offset: number;
  next_cursor: string | null;
}
interface PageAnswer extends Thing {
  messages: Thing[];
  has_more: boolean;
}
interface SearchAnswer {
  results: { conversation: Thing; message: Thing | null; snippet: string }[];
  has_more: boolean;
}

const BAD_IDS = ['0', '-1', '1.5', '9223372036854775808', 'abc', '1e1', '01', '%00'];
const create = (body?: object | string) => ada.post('/conversations/create', body);
const update = (id: number | string, body: object) => ada.post(`/conversations/${id}/update`, body);
const remove = (id: number | string) => ada.post(`/conversations/${id}/delete`);
const list = async (query = '') => (await ada.get<ListAnswer>(`/conversations${query}`)).body;
const titles = async (query = '') => (await list(query)).conversations.map(({ title }) => title);
const page = async (id: number, query = '') =>
  (await ada.get<PageAnswer>(`/conversations/${id}${query}`)).body;
const search = async (query: string) => (await ada.get<SearchAnswer>(`/conversations/search${query}`)).body;

const talk = (...contents: string[]) => contents.map((content) => ({ content }));

describe('creating a conversation', () => {
  it.each([[undefined], ['{}']])('needs no body: %j', async (body) => {
    const { status, body: conversation } = await create(body);

    expect(status).toBe(201);
    expect(conversation).toEqual({
      id: expect.any(Number),
      title: 'New conversation',
      title_source: 'default',
      config_id: null,
      system_prompt: null,
      params: {},
      pinned: false,
      archived: false,
      message_count: 0,
      active_message_id: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: conversation.created_at,
    });
  });

  it('keeps every character of a title and a system prompt', async () => {
    const title = '  👩‍💻 שלום é e\u0301 中文\t ' + '😀'.repeat(170);
    const system_prompt = '\u202eRTL\u202c 😀\r\n'.repeat(9000) + 'ẞ';
    const { id } = (await create({ title, system_prompt })).body;

    expect(await page(id)).toMatchObject({ title, title_source: 'user', system_prompt });
  });

  it('takes directional controls out of a title, and keeps emoji whole', async () => {
    const { id } = (await create({ title: '\u202egnp.\u202c photo \u2067x\u2069' })).body;
    expect(await titles()).toEqual(['gnp. photo x']);

    const { body } = await update(id, { title: `👩‍💻❤️🏳️‍🌈\u202d${'x'.repeat(190)}` });
    expect(body.title).toBe(`👩‍💻❤️🏳️‍🌈${'x'.repeat(190)}`);
    expect(invalidFields(await update(id, { title: '\u2066\u2069' }))).toEqual(['title']);
  });

  it("takes the user's configuration, and params", async () => {
    const mine = await t.user().withConfig(t.provider).create();
    const body = { config_id: mine.configId, params: { temperature: 0.2 } };

    expect(await mine.createConversation(body)).toMatchObject(body);
  });

  it.each<[string, object, string]>([
    ['an empty title', { title: '' }, 'title'],
    ['a blank title', { title: ' \n\u3000' }, 'title'],
    ['a title of zero-width spaces', { title: '\u200b\u200d\ufeff' }, 'title'],
    ['a title of blank Braille', { title: '\u2800' }, 'title'],
    ['a title of Hangul fillers', { title: '\u3164\uffa0' }, 'title'],
    ['a title of a combining mark', { title: '\u0301' }, 'title'],
    ['a title of overrides', { title: '\u202e\u202c' }, 'title'],
    ['a title of 201 characters', { title: '😀'.repeat(201) }, 'title'],
    ['a number for a title', { title: 7 }, 'title'],
    ['a title with a NUL', { title: 'a\0b' }, 'title'],
    ['a title with a lone surrogate', { title: 'a\udc00' }, 'title'],
    ['a system prompt of 100,001 characters', { system_prompt: 'x'.repeat(100_001) }, 'system_prompt'],
    ['a system prompt with a NUL', { system_prompt: '\0' }, 'system_prompt'],
    ['bad params', { params: { temperature: 3 } }, 'params.temperature'],
    ['unknown params', { params: { model: 'x' } }, 'params.model'],
    ['a config_id in text', { config_id: '1' }, 'config_id'],
    ['a config_id of 0', { config_id: 0 }, 'config_id'],
    ['a config_id of 2^63', { config_id: 2 ** 63 }, 'config_id'],
    ['a config_id that does not exist', { config_id: 999_999_999 }, 'config_id'],
    ['what only an update takes', { pinned: true }, 'pinned'],
    ['an unknown field', { user_id: 1 }, 'user_id'],
  ])('refuses %s', async (_, body, field) => {
    expect(invalidFields(await create(body))).toEqual([field]);
    expect((await list()).total).toBe(0);
  });

  it("refuses another user's configuration, as one that does not exist", async () => {
    const other = await t.user().withConfig(t.provider).create();
    const [foreign, missing] = [other.configId, 999_999_999].map((config_id) => create({ config_id }));
    const problem = ({ body }: Answer) => ({ ...body, request_id: '' });

    expect(problem(await foreign!)).toEqual(problem(await missing!));
  });

  it.each(['[]', '[{}]', 'null', '"text"', '7'])('refuses the body %s', async (body) => {
    expect([400, 422]).toContain((await create(body)).status);
    expect((await list()).total).toBe(0);
  });
});

describe('listing conversations', () => {
  it('puts pinned ones first, then newest activity', async () => {
    const ids: number[] = [];
    for (const title of ['one', 'two', 'three', 'four'])
      ids.push((await ada.createConversation({ title })).id);
    await update(ids[1]!, { pinned: true });
    await t.manager.update(Conversation, { id: ids[0] }, { updatedAt: new Date(Date.now() + 60_000) });

    expect(await titles()).toEqual(['two', 'one', 'four', 'three']);
  });

  it('orders what happened in the same millisecond by id', async () => {
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

  it('lists archived ones only when asked', async () => {
    const { id } = await ada.createConversation({ title: 'old' });
    await ada.createConversation({ title: 'new' });
    await update(id, { archived: true });

    expect(await titles()).toEqual(['new']);
    expect(await titles('?archived=false')).toEqual(['new']);
    expect(await titles('?archived=true')).toEqual(['old']);
    expect((await list('?archived=true')).total).toBe(1);
  });

  it('counts right, whatever is made, archived and deleted at once', async () => {
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

  it('finds text in titles, in either case and literally', async () => {
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
    'takes %s, which a form sends, for absent',
    async (query) => {
      const carol = await t.user().create();
      const { id } = await carol.createConversation();
      const old = await carol.createConversation();
      await carol.post(`/conversations/${old.id}/update`, { archived: true });

      const { status, body } = await carol.get<{ conversations: Thing[] }>(`/conversations${query}`);

      expect([status, body.conversations.map((each) => each.id)]).toEqual([200, [id]]);
    },
  );

  it('takes an empty before_id for absent, and a search without text for none', async () => {
    const { id } = await ada.createConversation();

    expect((await ada.get(`/conversations/${id}?before_id=`)).status).toBe(200);
    expect((await ada.get('/conversations/search?q=a&before_id=')).status).toBe(200);
    expect(invalidFields(await ada.get('/conversations/search?q='))).toEqual(['q']);
  });

  it('names every bad parameter, and ignores unknown ones', async () => {
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

  it.each([1, 2, 3, 4, 5, 9, 10, 11, 100])('are the whole list in its order, %d at a time', async (limit) => {
    const ids = await fill(10);

    expect(await walk(`?limit=${limit}`)).toEqual(ids);
    expect(await list('?limit=4&offset=4')).toMatchObject({ offset: 4, total: 10 });
    expect(idsOf(await after((await list('?limit=4&offset=2')).next_cursor!))).toEqual(ids.slice(6));
  });

  it('go on where conversations of one millisecond are on two pages', async () => {
    const ids = await fill(7);
    await t.manager.update(Conversation, { userId: ada.id }, { updatedAt: new Date(1_700_000_000_123) });

    expect(await walk('?limit=2')).toEqual(ids);
  });

  it('are of what is archived, or has a text, where they began so', async () => {
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
    'neither repeat nor skip one while $name',
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

  it('have one whose activity is committed after a later one', async () => {
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

  it('remember many pinned ones', async () => {
    const ids = await fill(3);
    const row = await t.manager.findOneByOrFail(Conversation, { id: ids[0] });
    await t.manager.insert(
      Conversation,
      Array.from({ length: 150 }, () => ({ ...row, id: undefined })) as object[],
    );

    const seen = await walk('?limit=50', () => update(ids[2]!, { archived: true }));
    expect([seen.length, new Set(seen).size]).toEqual([152, 152]);
  });

  it('neither repeat nor skip one while all changes at once, again and again', async () => {
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

  it('are bounded by bytes too, long system prompts and all', async () => {
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

  it("refuse another user's cursor, another list's, one twice, and an offset beside it", async () => {
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

describe('updating a conversation', () => {
  it('changes what is sent, and nothing else', async () => {
    const mine = await t.user().withConfig(t.provider).create();
    ada = mine;
    const before = await ada.createConversation({ system_prompt: 'Be brief.', config_id: mine.configId });
    const { status, body } = await update(before.id, { title: 'Mine', params: { seed: 1 } });

    expect(status).toBe(200);
    expect(body).toEqual({
      ...before,
      title: 'Mine',
      title_source: 'user',
      params: { seed: 1 },
    });
    const cleared = await update(before.id, { config_id: null, system_prompt: null });
    expect(cleared.body).toMatchObject({ config_id: null, system_prompt: null, title: 'Mine' });
  });

  it.each<[string, object]>([
    ['a new title', { title: 'second' }],
    ['params', { params: { seed: 2 } }],
    ['a system prompt', { system_prompt: 'Be brief.' }],
    ['a pin', { pinned: true }],
    ['the archive', { archived: true }],
    ['what it is already', { title: 'first', params: {} }],
    ['nothing', {}],
  ])('is no activity, in its answer or its event: %s', async (_, change) => {
    const { id } = await ada.createConversation({ title: 'first' });
    await t.manager.update(Conversation, { id }, { updatedAt: new Date(0) });
    const events: ParleyEvent[] = [];
    const end = t.app.get(EventHub).subscribe(ada.id, (event) => events.push(event));
    const { body } = await update(id, change);
    end();

    const updated_at = new Date(0).toISOString();
    expect(body).toMatchObject({ ...change, updated_at });
    for (const event of events) expect(event.body).toMatchObject({ conversation: { ...change, updated_at } });
    expect((await page(id)).updated_at).toBe(updated_at);
  });

  it('leaves a conversation where it is in the list, and a message moves it up', async () => {
    const mine = await t.user().withConfig(t.provider).create();
    ada = mine;
    const old = await ada.createConversation({ title: 'old' });
    await ada.createConversation({ title: 'new' });
    await update(old.id, { title: 'renamed', config_id: mine.configId, params: { top_p: 1 } });
    expect(await titles()).toEqual(['new', 'renamed']);

    await ada.send(old.id, 'Hi');
    expect(await titles()).toEqual(['renamed', 'new']);
  });

  it("makes an automatic title the user's when it is sent back", async () => {
    const { id } = await ada.createConversation();
    await t.manager.update(Conversation, { id }, { title: 'Tides', titleSource: 'auto' });

    expect((await update(id, { title: 'Tides' })).body.title_source).toBe('user');
  });

  it('keeps the title that a user gives while the model makes one', async () => {
    const { id } = await ada.createConversation();
    const conversations = t.app.get(ConversationsService);
    await update(id, { title: 'Mine' });

    await conversations.setAutoTitle(ada.id, id, 'Automatic');

    expect(await page(id)).toMatchObject({ title: 'Mine', title_source: 'user' });
  });

  it('does not write back what a reply changes meanwhile', async () => {
    const { id } = await ada.createConversation();
    const service = t.app.get(ConversationsService);
    const getOwned = service.getOwned.bind(service);
    service.getOwned = async (...args) => {
      const read = await getOwned(...args);
      await t.manager.increment(Conversation, { id }, 'messageCount', 2);
      service.getOwned = getOwned;
      return read;
    };

    expect((await update(id, { title: 'Renamed' })).body).toMatchObject({
      title: 'Renamed',
      message_count: 2,
    });
  });

  it.each<[object, string]>([
    [{ title: '' }, 'title'],
    [{ pinned: 1 }, 'pinned'],
    [{ archived: 'true' }, 'archived'],
    [{ config_id: 999_999_999 }, 'config_id'],
    [{ params: [] }, 'params'],
    [{ message_count: 5 }, 'message_count'],
    [{ title_source: 'auto' }, 'title_source'],
  ])('refuses %j', async (body, field) => {
    const before = await ada.createConversation();

    expect(invalidFields(await update(before.id, body))).toEqual([field]);
    expect((await list()).conversations).toEqual([before]);
  });
});

describe('deleting a conversation', () => {
  it('deletes it with its messages and their text', async () => {
    const { id } = await ada.createConversation();
    const [, reply] = await writeMessages(
      t.manager,
      id,
      { content: 'Hi' },
      { status: 'streaming', streamingIn: id, nodeId: 'dead', completedAt: null },
    );
    await t.manager.insert(ReplyChunk, { messageId: reply, seq: 1, part: 'content', text: 'Hel' });
    const { status, body } = await remove(id);

    expect([status, body]).toEqual([204, '']);
    expect((await list()).total).toBe(0);
    expect(await t.manager.countBy(Message, { conversationId: id })).toBe(0);
    await until(async () => (await t.manager.countBy(ReplyChunk, { messageId: reply })) === 0);
    expectProblem(await remove(id), 404, 'not_found');
    expectProblem(await ada.get(`/conversations/${id}`), 404, 'not_found');
  });

  it('stops the reply that runs in it first', async () => {
    ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    t.provider.willHang();
    const events: ParleyEvent[] = [];
    const end = t.app.get(EventHub).subscribe(ada.id, (event) => events.push(event));
    const sent = ada.send(id, 'Hi');
    const request = (await t.provider.waitForRequests(t.provider.chats.length + 1)).at(-1)!;

    expect((await remove(id)).status).toBe(204);
    await request.closed;
    expect(request.finished).toBe(false);
    await sent;
    end();
    const last = events
      .slice(-2)
      .map(({ type, body }) => [type, (body.message as Thing | undefined)?.status]);
    expect(last).toEqual([
      ['message.completed', 'stopped'],
      ['conversation.deleted', undefined],
    ]);
    expect(await t.manager.countBy(Message, { conversationId: id })).toBe(0);
  });
});

describe('a page of a conversation', () => {
  it('is its newest messages, the oldest first', async () => {
    const { id } = await ada.createConversation({ title: 'Long' });
    const ids = await writeMessages(
      t.manager,
      id,
      ...talk(...Array.from({ length: 55 }, (_, index) => `m${index}`)),
    );
    const newest = await page(id);

    expect(newest).toMatchObject({ id, title: 'Long', has_more: true });
    expect(newest.messages.map((message) => message.id)).toEqual(ids.slice(5));
    expect(newest.messages.at(-1)!.content).toBe('m54');
  });

  it('goes back by before_id, page by page, without a gap', async () => {
    const { id } = await ada.createConversation();
    const ids = await writeMessages(t.manager, id, ...talk('a', 'b', 'c', 'd', 'e'));

    const first = await page(id, '?limit=2');
    const second = await page(id, `?limit=2&before_id=${first.messages[0]!.id}`);
    const third = await page(id, `?limit=2&before_id=${second.messages[0]!.id}`);
    expect([third, second, first].flatMap(({ messages }) => messages.map((one) => one.id))).toEqual(ids);
    expect([first, second, third].map(({ has_more }) => has_more)).toEqual([true, true, false]);
    expect(await page(id, `?before_id=${ids[0]}`)).toMatchObject({ messages: [], has_more: false });
    expect((await page(id, '?limit=5')).has_more).toBe(false);
  });

  it('has each message as API.md says', async () => {
    const { id } = await ada.createConversation();
    const clientMessageId = '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa';
    const [first, second] = await writeMessages(
      t.manager,
      id,
      { content: 'Hi', clientMessageId },
      {
        content: '',
        reasoning: 'Hm',
        status: 'failed',
        finishReason: 'length',
        errorCode: 'upstream_timeout',
        errorDetail: 'It took too long.',
        modelName: 'test-model',
        promptTokens: 3,
        completionTokens: 4,
        totalTokens: 7,
        usageEstimated: true,
      },
    );
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

    expect((await page(id)).messages).toEqual([
      {
        id: first,
        conversation_id: id,
        parent_id: null,
        role: 'user',
        content: 'Hi',
        reasoning: '',
        status: 'complete',
        finish_reason: null,
        error: null,
        model_name: null,
        usage: null,
        sources: [],
        client_message_id: clientMessageId,
        sibling_ids: [first],
        created_at: time,
        completed_at: time,
      },
      {
        id: second,
        conversation_id: id,
        parent_id: first,
        role: 'assistant',
        content: '',
        reasoning: 'Hm',
        status: 'failed',
        finish_reason: 'length',
        error: { code: 'upstream_timeout', detail: 'It took too long.' },
        model_name: 'test-model',
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, estimated: true },
        sources: [],
        client_message_id: null,
        sibling_ids: [second],
        created_at: time,
        completed_at: time,
      },
    ]);
  });

  it('shows the active branch alone, with the siblings of each message', async () => {
    const { id } = await ada.createConversation();
    const other = await ada.createConversation();
    await writeMessages(t.manager, other.id, ...talk('elsewhere'));
    const [left] = await writeMessages(t.manager, id, { content: 'old question', active: false });
    const [root, dead] = await writeMessages(
      t.manager,
      id,
      { content: 'question' },
      { content: 'dull', active: false },
    );
    const [reply] = await writeMessages(t.manager, id, {
      content: 'answer',
      parentId: root,
      role: 'assistant',
    });
    const { messages } = await page(id);

    expect(messages.map(({ content }) => content)).toEqual(['question', 'answer']);
    expect(messages.map(({ sibling_ids }) => sibling_ids)).toEqual([
      [left, root],
      [dead, reply],
    ]);
  });

  it('has the whole text of a reply that ended, and whose chunks went, since its row was read', async () => {
    const { id } = await ada.createConversation();
    const [, replyId] = await writeMessages(
      t.manager,
      id,
      { content: 'Hi' },
      { content: 'Hello', reasoning: 'Hm' },
    );
    const ended = await t.manager.findOneByOrFail(Message, { id: replyId });
    const asRead = t.manager.create(Message, { ...ended, content: '', reasoning: '', status: 'streaming' });

    const [message] = await t.app.get(MessagesService).toDtos([asRead]);

    expect(message).toMatchObject({ status: 'complete', content: 'Hello', reasoning: 'Hm' });
  });

  it('has the text so far of a reply that runs elsewhere', async () => {
    const { id } = await ada.createConversation();
    const streaming = { status: 'streaming', streamingIn: id, nodeId: 'another', completedAt: null } as const;
    const [, reply] = await writeMessages(t.manager, id, { content: 'Hi' }, streaming);
    const parts = [
      ['reasoning', 'Let me '],
      ['content', 'Hel'],
      ['reasoning', 'see'],
      ['content', 'lo 😀'],
    ] as const;
    for (const [index, [part, text]] of [...parts.entries()].reverse())
      await t.manager.insert(ReplyChunk, { messageId: reply, seq: index + 1, part, text });

    expect((await page(id)).messages[1]).toMatchObject({
      status: 'streaming',
      content: 'Hello 😀',
      reasoning: 'Let me see',
      completed_at: null,
    });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=1&limit=1', 'limit'],
    ['before_id=0', 'before_id'],
    ['before_id=-1', 'before_id'],
    ['before_id=1.5', 'before_id'],
    ['before_id=9223372036854775808', 'before_id'],
    ['before_id=abc', 'before_id'],
    ['before_id=1&before_id=2', 'before_id'],
  ])('refuses ?%s', async (query, field) => {
    const { id } = await ada.createConversation();

    expect(invalidFields(await ada.get(`/conversations/${id}?${query}`))).toEqual([field]);
  });
});

describe('searching', () => {
  it('finds messages, newest first, with what surrounds the text', async () => {
    const { id } = await ada.createConversation({ title: 'Travel' });
    const long = `${'😀'.repeat(500)}the golden Temple at dawn${'é'.repeat(500)}`;
    const ids = await writeMessages(t.manager, id, ...talk('Which TEMPLE?', 'none of it', long));
    const { results, has_more } = await search('?q=temple');

    expect(has_more).toBe(false);
    expect(results.map(({ message }) => message!.id)).toEqual([ids[2], ids[0]]);
    expect(results[0]!.conversation).toMatchObject({ id, title: 'Travel' });
    expect(results[0]!.message).toMatchObject({ content: long, sibling_ids: [ids[2]] });
    expect([...results[0]!.snippet]).toHaveLength(160);
    expect(results[0]!.snippet).toContain('the golden Temple at dawn');
    expect(long).toContain(results[0]!.snippet);
    expect(results[1]!.snippet).toBe('Which TEMPLE?');
  });

  it('puts titles before messages, on the first page only', async () => {
    const { id } = await ada.createConversation({ title: 'Kyoto in autumn' });
    const ids = await writeMessages(t.manager, id, ...talk('kyoto 1', 'kyoto 2', 'kyoto 3'));
    const first = await search('?q=kyoto&limit=2');
    const last = first.results.at(-1)!.message!.id;

    expect(first.results.map(({ message }) => message?.id ?? null)).toEqual([null, ids[2]]);
    expect(first.results[0]).toMatchObject({ conversation: { id }, snippet: 'Kyoto in autumn' });
    expect(first.has_more).toBe(true);
    const second = await search(`?q=kyoto&limit=2&before_id=${last}`);
    expect(second.results.map(({ message }) => message!.id)).toEqual([ids[1], ids[0]]);
    expect(second.has_more).toBe(false);
  });

  it('fills a page with titles where no messages are to be had', async () => {
    for (let i = 0; i < 4; i++) await ada.createConversation({ title: `plan ${i}` });

    const { results, has_more } = await search('?q=plan&limit=3');
    expect(results.map(({ snippet }) => snippet)).toEqual(['plan 3', 'plan 2', 'plan 1']);
    expect(has_more).toBe(false);
  });

  it('puts the titles of the latest activity first', async () => {
    const ids = [];
    for (const minute of [2, 3, 1]) {
      const { id } = await ada.createConversation({ title: `plan ${minute}` });
      await t.manager.update(Conversation, { id }, { updatedAt: new Date(minute * 60_000) });
      ids.push(id);
    }

    const { results } = await search('?q=plan');
    expect(results.map(({ conversation }) => conversation.id)).toEqual([ids[1], ids[0], ids[2]]);
  });

  it('goes on to every message, whatever the limit', async () => {
    const { id } = await ada.createConversation({ title: 'x marks' });
    await ada.createConversation({ title: 'x again' });
    const ids = await writeMessages(t.manager, id, ...talk('x1', 'x2', 'x3', 'x4', 'x5'));
    for (const limit of [1, 2, 3, 4, 100]) {
      const found: number[] = [];
      for (let query = '', more = true; more; query = `&before_id=${found.at(-1)}`) {
        const { results, has_more } = await search(`?q=x&limit=${limit}${query}`);
        expect(results.length).toBeLessThanOrEqual(limit);
        found.push(...results.flatMap(({ message }) => (message ? [message.id] : [])));
        more = has_more;
      }
      expect(found).toEqual([...ids].reverse());
    }
  });

  it('reads on where the newest messages have nothing, conversation by conversation', async () => {
    const { id } = await ada.createConversation();
    const other = await ada.createConversation();
    const [old] = await writeMessages(t.manager, id, ...talk('a needle'));
    const [between] = await writeMessages(t.manager, other.id, ...talk('another needle'));
    const like = await t.manager.findOneByOrFail(Message, { id: between });
    for (let batch = 0; batch < 12; batch++) {
      const hay = Array.from({ length: 500 }, () => ({ ...like, id: undefined, content: 'hay' }));
      await t.manager.insert(Message, hay as object[]);
    }

    const { results, has_more } = await search('?q=needle');
    expect(results.map(({ message }) => message!.id)).toEqual([between, old]);
    expect(has_more).toBe(false);
    expect((await search(`?q=needle&before_id=${between}`)).results).toHaveLength(1);
    expect(await search('?q=needle&limit=1')).toMatchObject({ has_more: true });
  });

  it('takes text literally', async () => {
    const { id } = await ada.createConversation();
    await writeMessages(t.manager, id, ...talk('50% off', '50 off', 'a_b', 'aXb', "it's", '(a|b)*'));
    const contents = async (q: string) =>
      (await search(`?q=${encodeURIComponent(q)}`)).results.map(({ message }) => message!.content);

    expect(await contents('50%')).toEqual(['50% off']);
    expect(await contents('a_b')).toEqual(['a_b']);
    expect(await contents("t's")).toEqual(["it's"]);
    expect(await contents('(A|B)*')).toEqual(['(a|b)*']);
    expect(await contents('中文')).toEqual([]);
  });

  it('finds archived conversations and other branches, and nothing of another user', async () => {
    const { id } = await ada.createConversation({ title: 'needle' });
    await update(id, { archived: true });
    await writeMessages(t.manager, id, { content: 'needle', active: false });
    const hers = await eve.createConversation({ title: 'needle' });
    await writeMessages(t.manager, hers.id, ...talk('needle'));

    // With hers among the hits, mine would be pushed off the page.
    const { results, has_more } = await search('?q=needle&limit=2');
    expect(results.map(({ conversation }) => conversation.id)).toEqual([id, id]);
    expect(has_more).toBe(false);
  });

  it.each([
    ['', 'q'],
    ['?q=', 'q'],
    ['?q=%20', 'q'],
    ['?q=a&q=b', 'q'],
    ['?q=%00', 'q'],
    [`?q=${'a'.repeat(201)}`, 'q'],
    ['?q=a&limit=0', 'limit'],
    ['?q=a&limit=101', 'limit'],
    ['?q=a&before_id=0', 'before_id'],
  ])('refuses %j', async (query, field) => {
    expect(invalidFields(await ada.get(`/conversations/search${query}`))).toEqual([field]);
  });
});

describe("another user's conversation", () => {
  const calls: [string, (id: number | string, user: TestUser) => Promise<Answer<unknown>>][] = [
    ['get', (id, user) => user.get(`/conversations/${id}`)],
    ['update', (id, user) => user.post(`/conversations/${id}/update`, { title: 'Mine now' })],
    ['delete', (id, user) => user.post(`/conversations/${id}/delete`)],
  ];

  it.each(calls)('does not exist for %s', async (_, call) => {
    const hers = await eve.createConversation({ title: 'Hers' });
    const [answer, missing] = [await call(hers.id, ada), await call(999_999_999, ada)];
    const without = (body: unknown) => ({ ...(body as object), instance: '', request_id: '' });

    expectProblem(answer, 404, 'not_found');
    expect(without(answer.body)).toEqual(without(missing.body));
    expect((await eve.get(`/conversations/${hers.id}`)).body).toMatchObject(hers);
  });

  it.each(calls)('nor do ids that are none, for %s', async (_, call) => {
    for (const id of BAD_IDS) expectProblem(await call(id, ada), 404, 'not_found');
  });

  it('is in no list of mine, and nothing is without a token', async () => {
    await eve.createConversation({ title: 'Hers' });

    expect(await list()).toEqual({ conversations: [], total: 0, limit: 20, offset: 0, next_cursor: null });
    for (const path of ['/conversations', '/conversations/search?q=a', '/conversations/1'])
      expectProblem(await t.http.get(path), 401, 'unauthenticated');
  });
});

describe('changes', () => {
  it('are announced to their user alone', async () => {
    const seen: ParleyEvent[] = [];
    const others: ParleyEvent[] = [];
    const hub = t.app.get(EventHub);
    const ends = [
      hub.subscribe(ada.id, (event) => seen.push(event)),
      hub.subscribe(eve.id, (event) => others.push(event)),
    ];
    const created = await ada.createConversation();
    const updated = (await update(created.id, { pinned: true })).body;
    await update(created.id, { pinned: true });
    await remove(created.id);
    ends.forEach((end) => end());

    expect(seen.map(({ type, json }) => [type, JSON.parse(json)])).toEqual([
      ['conversation.created', { conversation: created }],
      ['conversation.updated', { conversation: updated }],
      ['conversation.deleted', { conversation_id: created.id }],
    ]);
    expect(others).toEqual([]);
  });
});

describe('the cost of a list', () => {
  const SORTED_OR_SCANNED = /sort|temp b-tree|table scan|"SCAN|"type":"ALL"/i;
  let conversationId: number;
  let messageIds: number[];

  beforeAll(async () => {
    const mallory = await t.user().create();
    // Where nearly all rows are one user's, reading the whole of a small table is right.
    await fill(mallory, 1500, 700);
    ({ conversationId, messageIds } = await fill(eve, 300, 300));
    if (isMysql(t.app.get(DataSource))) await t.manager.query('ANALYZE TABLE conversations, messages');
  });

  it.each([
    [{ offset: 40 }, null],
    [{ offset: 40, archived: true }, null],
    [{ offset: 0 }, { pinned: true, updatedAt: Date.now(), id: 9, since: Date.now(), got: [1, 2] }],
    [{ offset: 0 }, { pinned: false, updatedAt: Date.now(), id: 9, since: Date.now(), got: null }],
  ])('of conversations is one index, nothing sorted: %j after %j', async (query, after) => {
    const statements = t.app.get(ConversationList).statements(eve.id, { limit: 20, ...query }, after);
    for (const statement of statements) {
      const plan = await explain(statement);
      expect(plan).toMatch(/ix_conversations_list/);
      expect(plan).not.toMatch(SORTED_OR_SCANNED);
      if (after?.pinned === false) expect(plan).toMatch(/updated_at<\?|updated_at <=|"range"/);
    }
  });

  it.each([false, true])('of messages is one index, nothing sorted; with before_id: %s', async (older) => {
    const service = t.app.get(MessagesService);
    const beforeId = older ? messageIds[150] : undefined;
    const plan = await explain(
      service.queryPage(conversationId, { limit: 50, beforeId }).getQueryAndParameters(),
    );

    expect(plan).toMatch(/ix_messages_branch/);
    expect(plan).not.toMatch(SORTED_OR_SCANNED);
  });

  it("of messages' siblings is one index, of their places alone", async () => {
    const places = messageIds.slice(0, 50).map((parentId) => ({ conversationId, parentId }) as Message);
    const plan = await explain(t.app.get(MessagesService).queryChildren(places).getQueryAndParameters());

    expect(plan).toMatch(/ix_messages_siblings/);
    expect(plan).not.toMatch(SORTED_OR_SCANNED);
  });

  it('of a search is one index, nothing sorted', async () => {
    const stretch = { start: messageIds[50]!, end: messageIds[150]! };
    const search = t.app.get(MessageSearch).queryStretch(eve.id, 'x', stretch);
    const plan = await explain(search.limit(21).getQueryAndParameters());

    expect(plan).toMatch(/ix_messages_user_id/);
    expect(plan).not.toMatch(SORTED_OR_SCANNED);
  });

  async function fill(user: TestUser, conversations: number, messages: number) {
    const { id } = await user.createConversation();
    const like = await t.manager.findOneByOrFail(Conversation, { id });
    await insert(Conversation, conversations, { ...like, id: undefined });
    const place = { conversationId: id, userId: user.id, parentId: null };
    const blank = { ...BLANK, ...place, role: 'user', completedAt: null, createdAt: new Date() };
    const messageIds = await insert(Message, messages, blank);
    return { conversationId: id, messageIds };
  }

  async function insert(entity: EntityTarget<ObjectLiteral>, count: number, like: object): Promise<number[]> {
    const rows = Array.from({ length: count }, () => t.manager.create(entity, like));
    return (await t.manager.save(rows, { chunk: 100 })).map((row) => row.id as number);
  }

  async function explain([sql, parameters]: [string, unknown[]]): Promise<string> {
    const command = isMysql(t.app.get(DataSource)) ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
    return JSON.stringify(await t.manager.query(`${command} ${sql}`, parameters));
  }
});
