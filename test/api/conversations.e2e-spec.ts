/** Creating, changing and deleting conversations. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationsService } from '../../src/conversations/conversations.service.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import type { ParleyEvent } from '../../src/events/parley-event.js';
import { writeMessages } from '../support/app/messages.js';
import { until } from '../support/infrastructure/until.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { conversationCalls } from '../support/clients/conversations.js';
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

const BAD_IDS = ['0', '-1', '1.5', '9223372036854775808', 'abc', '1e1', '01', '%00'];
const { create, update, remove, list, titles, page } = conversationCalls(() => ada);

describe('creating a conversation', () => {
  it.each([[undefined], ['{}']])('requires no body: %j', async (body) => {
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

  it('stores every character of a title and a system prompt', async () => {
    const title = '  👩‍💻 שלום é e\u0301 中文\t ' + '😀'.repeat(170);
    const system_prompt = '\u202eRTL\u202c 😀\r\n'.repeat(9000) + 'ẞ';
    const { id } = (await create({ title, system_prompt })).body;

    expect(await page(id)).toMatchObject({ title, title_source: 'user', system_prompt });
  });

  it('removes directional controls from a title, and keeps emoji intact', async () => {
    const { id } = (await create({ title: '\u202egnp.\u202c photo \u2067x\u2069' })).body;
    expect(await titles()).toEqual(['gnp. photo x']);

    const { body } = await update(id, { title: `👩‍💻❤️🏳️‍🌈\u202d${'x'.repeat(190)}` });
    expect(body.title).toBe(`👩‍💻❤️🏳️‍🌈${'x'.repeat(190)}`);
    expect(invalidFields(await update(id, { title: '\u2066\u2069' }))).toEqual(['title']);
  });

  it('accepts the user’s configuration and params', async () => {
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

  it('refuses another user’s configuration as missing', async () => {
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

describe('updating a conversation', () => {
  it('changes only the fields sent', async () => {
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

  it.each<[string, object, number]>([
    ['a new title', { title: 'second' }, 1],
    ['params', { params: { seed: 2 } }, 1],
    ['a system prompt', { system_prompt: 'Be brief.' }, 1],
    ['a pin', { pinned: true }, 1],
    ['the archive', { archived: true }, 1],
    ['what it is already', { title: 'first', params: {} }, 0],
    ['nothing', {}, 0],
  ])('does not count as activity, in its answer or its event: %s', async (_, change, published) => {
    const { id } = await ada.createConversation({ title: 'first' });
    await t.manager.update(Conversation, { id }, { updatedAt: new Date(0) });
    let body: Thing | undefined;
    const events = await t.eventsDuring(ada.id, async () => ({ body } = await update(id, change)));

    const updated_at = new Date(0).toISOString();
    expect(body).toMatchObject({ ...change, updated_at });
    expect(events).toHaveLength(published);
    for (const event of events) expect(event.body).toMatchObject({ conversation: { ...change, updated_at } });
    expect((await page(id)).updated_at).toBe(updated_at);
  });

  it('keeps the conversation’s place in the list, unlike a new message', async () => {
    const mine = await t.user().withConfig(t.provider).create();
    ada = mine;
    const old = await ada.createConversation({ title: 'old' });
    await ada.createConversation({ title: 'new' });
    await update(old.id, { title: 'renamed', config_id: mine.configId, params: { top_p: 1 } });
    expect(await titles()).toEqual(['new', 'renamed']);

    await ada.send(old.id, 'Hi');
    expect(await titles()).toEqual(['renamed', 'new']);
  });

  it('makes an automatic title the user’s own when it is sent back', async () => {
    const { id } = await ada.createConversation();
    await t.manager.update(Conversation, { id }, { title: 'Tides', titleSource: 'auto' });

    expect((await update(id, { title: 'Tides' })).body.title_source).toBe('user');
  });

  it('keeps the user’s title when the model generates one meanwhile', async () => {
    const { id } = await ada.createConversation();
    const conversations = t.app.get(ConversationsService);
    await update(id, { title: 'Mine' });

    await conversations.setAutoTitle(ada.id, id, 'Automatic');

    expect(await page(id)).toMatchObject({ title: 'Mine', title_source: 'user' });
  });

  it('does not overwrite changes of a concurrent reply', async () => {
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

  it('stops its running reply first', async () => {
    ada = await t.user().withConfig(t.provider).create();
    const { id } = await ada.createConversation();
    t.provider.willHang();
    const events = await t.eventsDuring(ada.id, async () => {
      const sent = ada.send(id, 'Hi');
      const request = (await t.provider.waitForRequests(t.provider.chats.length + 1)).at(-1)!;

      expect((await remove(id)).status).toBe(204);
      await request.closed;
      expect(request.finished).toBe(false);
      await sent;
    });
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

describe('another user’s conversation', () => {
  const calls: [string, (id: number | string, user: TestUser) => Promise<Answer<unknown>>][] = [
    ['get', (id, user) => user.get(`/conversations/${id}`)],
    ['update', (id, user) => user.post(`/conversations/${id}/update`, { title: 'Mine now' })],
    ['delete', (id, user) => user.post(`/conversations/${id}/delete`)],
  ];

  it.each(calls)('is reported as missing by %s', async (_, call) => {
    const hers = await eve.createConversation({ title: 'Hers' });
    const [answer, missing] = [await call(hers.id, ada), await call(999_999_999, ada)];
    const without = (body: unknown) => ({ ...(body as object), instance: '', request_id: '' });

    expectProblem(answer, 404, 'not_found');
    expect(without(answer.body)).toEqual(without(missing.body));
    expect((await eve.get(`/conversations/${hers.id}`)).body).toMatchObject(hers);
  });

  it.each(calls)('is reported like a malformed id by %s', async (_, call) => {
    for (const id of BAD_IDS) expectProblem(await call(id, ada), 404, 'not_found');
  });

  it('appears in no list of mine, and every call requires a token', async () => {
    await eve.createConversation({ title: 'Hers' });

    expect(await list()).toEqual({ conversations: [], total: 0, limit: 20, offset: 0, next_cursor: null });
    for (const path of ['/conversations', '/conversations/search?q=a', '/conversations/1'])
      expectProblem(await t.http.get(path), 401, 'unauthenticated');
  });
});

describe('change events', () => {
  it('are sent only to their user', async () => {
    let created: Thing;
    let updated: Thing;
    let seen: ParleyEvent[] = [];
    const others = await t.eventsDuring(eve.id, async () => {
      seen = await t.eventsDuring(ada.id, async () => {
        created = await ada.createConversation();
        updated = (await update(created.id, { pinned: true })).body;
        await update(created.id, { pinned: true });
        await remove(created.id);
      });
    });

    expect(seen.map(({ type, json }) => [type, JSON.parse(json)])).toEqual([
      ['conversation.created', { conversation: created! }],
      ['conversation.updated', { conversation: updated! }],
      ['conversation.deleted', { conversation_id: created!.id }],
    ]);
    expect(others).toEqual([]);
  });
});
