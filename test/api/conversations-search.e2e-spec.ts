/** Searching conversations over the API. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { writeMessages } from '../support/app/messages.js';
import { invalidFields } from '../support/clients/problems.js';
import { conversationCalls } from '../support/clients/conversations.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
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

const talk = (...contents: string[]) => contents.map((content) => ({ content }));
const { update, search } = conversationCalls(() => ada);

describe('searching', () => {
  it('finds messages, newest first, with the surrounding text', async () => {
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

  it('lists titles before messages, on the first page only', async () => {
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

  it('fills a page with titles when no messages match', async () => {
    for (let i = 0; i < 4; i++) await ada.createConversation({ title: `plan ${i}` });

    const { results, has_more } = await search('?q=plan&limit=3');
    expect(results.map(({ snippet }) => snippet)).toEqual(['plan 3', 'plan 2', 'plan 1']);
    expect(has_more).toBe(false);
  });

  it('sorts titles by latest activity', async () => {
    const ids = [];
    for (const minute of [2, 3, 1]) {
      const { id } = await ada.createConversation({ title: `plan ${minute}` });
      await t.manager.update(Conversation, { id }, { updatedAt: new Date(minute * 60_000) });
      ids.push(id);
    }

    const { results } = await search('?q=plan');
    expect(results.map(({ conversation }) => conversation.id)).toEqual([ids[1], ids[0], ids[2]]);
  });

  it('reaches every message, with any limit', async () => {
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

  it('continues past newest messages without a match, conversation by conversation', async () => {
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

  it('matches text literally', async () => {
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

  it('finds archived conversations and other branches, but nothing of another user', async () => {
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
