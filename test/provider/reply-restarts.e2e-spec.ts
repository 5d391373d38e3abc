/** Replies whose text turns out to be reasoning, at a closing tag without an opening one, on every transport. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onRedis } from '../support/infrastructure/database.js';
import { isCompleted, isDelta, isRestarted } from '../support/clients/events.js';
import type { SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { ReplyReader } from '../support/clients/reply-reader.js';
import { gate, raw } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

const THOUGHTS = 'Hm 🧵, let me see. ';
const WHOLE = { content: 'The answer.', reasoning: `${THOUGHTS}Yes.`, status: 'complete' };

let t: TestApp;
let another: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp();
  another = await t.startNode();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(async () => {
  await another.stop();
  await t.stop();
});

/** Scripts a reply: reasoning, its end after the first gate, the rest of the answer after the second. */
function play(app = t) {
  const held = { thoughts: gate(), answer: gate() };
  app.provider.willStream(THOUGHTS, held.thoughts, 'Yes.</th', 'ink>\n\nThe ', held.answer, 'answer.');
  return held;
}

/** Applies events as a strict client. @throws if an event is missing or repeated with other data */
function replyIn(events: SeenEvent[], conversationId: number) {
  const reader = new ReplyReader('a client', conversationId);
  reader.connect('from the start', { follows: true, joinsMidway: true });
  events.forEach(reader.apply);
  if (reader.fault) throw reader.fault;
  return reader.reply;
}

async function begin(user = ada, app = t) {
  const { id } = await user.createConversation({ title: 'Restarts' });
  const held = play(app);
  const sse = await user.sse(`/conversations/${id}/chat`, { content: 'Go' });
  await sse.until(isDelta);
  return { id, held, sse };
}

describe('a reply whose text turns out to be reasoning', () => {
  it('is complete over JSON, in the history and in the export', async () => {
    const { id } = await ada.createConversation();
    const held = play();
    held.thoughts.open();
    held.answer.open();

    expect((await ada.send(id, 'Go')).body.assistant_message).toMatchObject(WHOLE);
    expect((await ada.history(id)).at(-1)).toMatchObject(WHOLE);
  });

  it('restarts for clients of all transports, in the documented order', async () => {
    const { id, held, sse } = await begin();
    const events = await ada.sse(`/conversations/${id}/events`);
    const ws = ada.ws(id);
    const socket = ada.socket();
    await socket.emit('conversation.open', { conversation_id: id });
    await Promise.all([events.until(isDelta), ws.until(({ type }) => type === 'conversation.snapshot')]);
    held.thoughts.open();
    await sse.until(({ text }) => text === 'The ');
    held.answer.open();

    const sockets = { until: ws.until.bind(ws), events: ws.frames };
    for (const client of [sse, events, sockets, socket]) {
      await client.until(isCompleted);
      const from = client.events.findIndex(isRestarted);
      expect(client.events[from]).toMatchObject({
        conversation_id: id,
        message: { content: '', reasoning: '', status: 'streaming' },
      });
      const rest = client.events.slice(from).filter(({ type }) => type.startsWith('message.'));
      expect(rest.slice(1, -1).every(isDelta)).toBe(true);
      expect(
        rest
          .filter(isDelta)
          .map(({ part }) => part)
          .join(),
      ).toMatch(/^(reasoning,?)+(content,?)+$/);
      expect(replyIn(client.events.slice(from), id)).toMatchObject(WHOLE);
      expect(rest.at(-1)?.message).toMatchObject(WHOLE);
    }
  });

  it('is stored as reasoning at once, replacing stored content', async () => {
    const { id, held, sse } = await begin();
    const chunks = t.app.get(DataSource).getRepository(ReplyChunk);
    const { message } = sse.events[1] as { message: Thing } & SeenEvent;
    while ((await chunks.countBy({ messageId: message.id })) === 0);
    held.thoughts.open();
    await sse.until(isRestarted);

    // Stored together with the new attempt, so that a crash cannot lose it.
    const [first] = await chunks.findBy({ messageId: message.id, part: 'reasoning' });
    expect(first?.text.startsWith(THOUGHTS)).toBe(true);
    await sse.until(({ text }) => text === 'The ');
    expect((await ada.history(id)).at(-1)).toMatchObject({ content: 'The ', reasoning: `${THOUGHTS}Yes.` });
    // Another node reads it from the database.
    const shown = async () => (await ada.on(another).history(id)).at(-1)!;
    while ((await shown()).content !== 'The ');
    expect(await shown()).toMatchObject({ reasoning: `${THOUGHTS}Yes.`, status: 'streaming' });
    held.answer.open();
    await sse.until(isCompleted);
    expect((await ada.history(id)).at(-1)).toMatchObject(WHOLE);
  });

  it('restarts for a client that resumes from before the restart, not from after', async () => {
    const { id, held, sse } = await begin();
    const before = sse.events.findLast(isDelta)!.id as string;
    held.thoughts.open();
    await sse.until(({ text }) => text === 'The ');
    const after = sse.events.findLast(isDelta)!.id as string;
    const [early, late] = await Promise.all(
      [before, after].map((place) =>
        ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': place }),
      ),
    );
    held.answer.open();
    await Promise.all([early!, late!].map((client) => client.until(isCompleted)));

    expect(early!.events.filter(isRestarted)).toHaveLength(1);
    expect(late!.events.filter(isRestarted)).toHaveLength(0);
    expect(late!.events.filter(isDelta)).toMatchObject([{ part: 'content', offset: 4, text: 'answer.' }]);
  });

  it('returns its last attempt if it ended during the read', async () => {
    const { id, held, sse } = await begin();
    const row = await t.app.get(DataSource).getRepository(Message).findOneByOrFail({ streamingIn: id });
    held.thoughts.open();
    held.answer.open();
    await sse.until(isCompleted);

    expect(await t.app.get(MessagesService).toDtos([row])).toMatchObject([WHOLE]);
    expect(row.attempt).toBe(2);
  });

  it('can be stopped, and keeps its text', async () => {
    const { id, held, sse } = await begin();
    held.thoughts.open();
    await sse.until(({ text }) => text === 'The ');

    const { body } = await ada.post(`/conversations/${id}/stop`);
    expect(body).toMatchObject({ status: 'stopped', content: 'The ', reasoning: `${THOUGHTS}Yes.` });
  });

  it('is sent to the provider and to the title request without its reasoning', async () => {
    const bob = await t.user().withConfig(t.provider).create();
    const { id } = await bob.createConversation();
    t.provider.willStream('<think>Secret</think>Plain');
    await bob.send(id, 'One');
    t.provider.willStream('Secret', '</think>Plain');
    await bob.send(id, 'Two');
    await bob.send(id, 'Three');

    const asked = JSON.stringify(t.provider.requests.map(({ body }) => body));
    expect(asked).toContain('Plain');
    expect(asked).not.toContain('Secret');
  });
});

describe('sources', () => {
  const page = { url: 'https://a.example/', title: 'Page A' };
  const cite = raw(
    `data: ${JSON.stringify({ citations: ['https://b.example/'], search_results: [page], choices: [{ delta: { content: 'See' } }] })}\n\n`,
  );
  const named = [{ url: 'https://b.example/', title: null }, page];

  it('of a reply are returned in events, history, export and search', async () => {
    const { id } = await ada.createConversation();
    t.provider.willStream(cite);
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Go' });
    const { message } = (await sse.until(isCompleted)) as unknown as { message: Thing };

    expect(message.sources).toEqual(named);
    const [question, reply] = await ada.history(id);
    expect([question!.sources, reply!.sources]).toEqual([[], named]);
    const exported = (await ada.get<{ conversations: { messages: Thing[] }[] }>('/auth/me/export')).body;
    expect(exported.conversations.flatMap(({ messages }) => messages)).toContainEqual(reply);
    const found = (await ada.get<{ results: { message: Thing }[] }>('/conversations/search?q=See')).body;
    expect(found.results[0]!.message.sources).toEqual(named);
  });
});

onRedis('another node', (REDIS_URL) => {
  let one: TestApp;
  let two: TestApp;
  let bob: TestUser;
  beforeAll(async () => {
    one = await startTestApp({ env: { REDIS_URL } });
    two = await one.startNode();
    bob = await one.user().withConfig(one.provider).create();
  });
  afterAll(async () => {
    await two.stop();
    await one.stop();
  });

  it('restarts a reply for clients that joined before and after', async () => {
    const { id, held, sse } = await begin(bob, one);
    const early = await bob.on(two).sse(`/conversations/${id}/events`);
    await early.until(isDelta);
    held.thoughts.open();
    await early.until(isRestarted);
    await sse.until(({ text }) => text === 'The ');
    const late = await bob.on(two).sse(`/conversations/${id}/events`);
    await late.until(({ part }) => part === 'content');
    held.answer.open();

    for (const client of [early, late]) {
      const { message } = await client.until(isCompleted);
      expect(message).toMatchObject(WHOLE);
      const last = client.events.findLastIndex(isRestarted);
      const deltas = client.events.slice(last + 1).filter(isDelta);
      const textOf = (part: string) =>
        deltas
          .filter((delta) => delta.part === part)
          .reduce((text, { offset, text: more }) => text.slice(0, offset as number) + String(more), '');
      expect([textOf('reasoning'), textOf('content')]).toEqual([WHOLE.reasoning, WHOLE.content]);
    }
  });
});
