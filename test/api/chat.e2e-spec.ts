/** Chats over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { until } from '../support/infrastructure/until.js';
import { finish, gate, cut, reasoning, usage, type PlayedProvider } from '../support/provider/provider.js';
import type { Thing } from '../support/clients/http.js';
import { textOf } from '../support/clients/events.js';
import type { SeenEvent } from '../support/clients/event-log.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t.stop());

const types = (events: SeenEvent[]) =>
  events.map((event) => event.type).filter((type) => type !== 'conversation.updated');

describe('POST /conversations/{id}/chat', () => {
  it('returns both messages once the reply is complete', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('Hel', 'lo 👋🏽');

    const { status, body } = await ada.send(id, 'Hi there');

    expect(status).toBe(200);
    expect(body.user_message).toMatchObject({
      role: 'user',
      content: 'Hi there',
      status: 'complete',
      parent_id: null,
    });
    expect(body.assistant_message).toMatchObject({
      conversation_id: id,
      role: 'assistant',
      content: 'Hello 👋🏽',
      status: 'complete',
      finish_reason: 'stop',
      error: null,
      model_name: 'test-model',
      parent_id: body.user_message.id,
      usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18, estimated: false },
    });
    expect(await ada.history(id)).toEqual([body.user_message, body.assistant_message]);
  });

  it('streams the same reply as server-sent events', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('One ', 'two ', 'three');

    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Count' });
    await sse.ended;

    const events = types(sse.events);
    expect(events.slice(0, 2)).toEqual(['message.created', 'message.created']);
    expect(events.at(-1)).toBe('message.completed');
    expect(textOf(sse.events)).toBe('One two three');
    expect(sse.events.at(-1)).toMatchObject({ message: { content: 'One two three', status: 'complete' } });
  });

  it('answers identically under /messages', async () => {
    const { id } = await ada.createConversation();

    const { status, body } = await ada.post(`/conversations/${id}/messages`, { content: 'Hi' });

    expect(status).toBe(200);
    expect(body).toMatchObject({ assistant_message: { content: 'Hello from the model.' } });
  });

  it('finishes the reply after the client disconnects', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    provider.willStream('before ', held, 'after');
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until((event) => event.type === 'message.delta');

    await sse.close();
    held.open();

    const follow = await ada.sse(`/conversations/${id}/events`, undefined, {
      'Last-Event-ID': sse.lastEventId!,
    });
    await follow.until((event) => event.type === 'message.completed');
    expect((await ada.history(id))[1]).toMatchObject({ content: 'before after', status: 'complete' });
    expect(textOf([...sse.events, ...follow.events])).toBe('before after');
  });

  /** MySQL's statements take the double of such text, and MariaDB takes none of more than 16 MiB. */
  it('stores the longest reply, also with every character escaped', async () => {
    const { id } = await ada.createConversation({ title: 'Quotes' });
    // Shifted by one, so that a cut at an even place would go through the middle of a character.
    const waves = '👋'.repeat(10_000);
    const quotes = `"`.repeat(64 * 1024);
    provider.willStream('!', ...Array<string>(60).fill(waves), ...Array<string>(115).fill(quotes));

    const { status, body } = await ada.send(id, 'Quote a lot');

    expect([status, body.assistant_message.status]).toEqual([200, 'complete']);
    const reply = (await ada.history(id)).at(-1);
    expect(reply!.content === `!${waves.repeat(60)}${quotes.repeat(115)}`).toBe(true);
  });

  it('stores reasoning apart from the content', async () => {
    const { id } = await ada.createConversation();
    provider.willStream(reasoning('Let me '), reasoning('think.'), 'Four.');

    const sse = await ada.sse(`/conversations/${id}/chat`, { content: '2 + 2?' });
    await sse.ended;

    expect(textOf(sse.events, '', 'reasoning')).toBe('Let me think.');
    expect(sse.events.at(-1)).toMatchObject({ message: { content: 'Four.', reasoning: 'Let me think.' } });
  });

  it.each([
    ['a finish reason without end', finish('because '.repeat(20))],
    ['a finish reason that is no text', finish('\0\ud800'.repeat(10))],
    ['more usage than can be counted', usage({ prompt_tokens: 2 ** 31 - 1, completion_tokens: 2 ** 31 - 1 })],
  ])('ends a reply that has %s', async (_, nonsense) => {
    const { id } = await ada.createConversation();
    provider.willStream('Hello', nonsense);

    const { status, body } = await ada.send(id, 'Hi');

    expect(status).toBe(200);
    expect(body.assistant_message).toMatchObject({ content: 'Hello', status: 'complete' });
    expect((await ada.history(id))[1]).toEqual(body.assistant_message);
  });

  it('answers 409 no_model_config, and stores nothing, without a configuration', async () => {
    const bob = await t.user().create();
    const { id } = await bob.createConversation();

    const { status, body } = await bob.send(id, 'Hi');

    expect([status, body.code]).toEqual([409, 'no_model_config']);
    expect(await bob.history(id)).toEqual([]);
  });

  it('answers a failed reply with a 502 problem and both messages', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('Half a', cut());

    const { status, headers, body } = await ada.send(id, 'Hi');

    expect(status).toBe(502);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({
      code: 'upstream_bad_response',
      user_message: { content: 'Hi' },
      assistant_message: { content: 'Half a', status: 'failed', error: { code: 'upstream_bad_response' } },
    });
    expect(await ada.history(id)).toMatchObject([{ content: 'Hi' }, { content: 'Half a', status: 'failed' }]);
  });

  it('sends the system prompt, the active branch and the params', async () => {
    const { id } = await ada.createConversation({ system_prompt: 'Be brief.', params: { temperature: 0.5 } });
    await ada.send(id, 'First');
    await ada.send(id, 'Second');

    expect(provider.chats.at(-1)!.body).toMatchObject({
      temperature: 0.5,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'First' },
        { role: 'assistant', content: 'Hello from the model.' },
        { role: 'user', content: 'Second' },
      ],
    });
  });

  it('sends long messages whole and in order among short ones', async () => {
    const eve = await t.user().withConfig(provider, { context_tokens: 1_000_000 }).create();
    const { id } = await eve.createConversation();
    const contents = [
      'short',
      'é '.repeat(50_000),
      'short again',
      'x'.repeat(65_536),
      'y'.repeat(65_537),
      'last',
    ];
    for (const content of contents) await eve.send(id, content);

    const sent = provider.chats.at(-1)!.body.messages!.filter(({ role }) => role === 'user');
    expect(sent.map(({ content }) => contents.indexOf(content))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('drops the oldest messages when the context is too small', async () => {
    const eve = await t
      .user()
      .withConfig(provider, { context_tokens: 512, params: { max_tokens: 100 } })
      .create();
    const { id } = await eve.createConversation();
    await eve.send(id, 'old '.repeat(300));
    await eve.send(id, 'newer '.repeat(150));
    await eve.send(id, 'newest');

    // Nor does it begin with the reply to what was left out, for which there would be room.
    expect(provider.chats.at(-1)!.body.messages).toEqual([
      { role: 'user', content: 'newer '.repeat(150) },
      { role: 'assistant', content: 'Hello from the model.' },
      { role: 'user', content: 'newest' },
    ]);
  });

  it.each([
    ['nothing', {}],
    ['empty content', { content: '' }],
    ['white space', { content: ' \n\t' }],
    ['a number', { content: 7 }],
    ['an object', { content: { $ne: 1 } }],
    ['a NUL', { content: 'a\0b' }],
    ['a lone surrogate', { content: 'a\ud800b' }],
    ['too much', { content: 'x'.repeat(100_001) }],
  ])('refuses %s as content, and stores nothing', async (_, body) => {
    const { id } = await ada.createConversation();

    const answer = await ada.post(`/conversations/${id}/chat`, body);

    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'validation_failed', errors: [{ field: 'content' }] },
    });
    expect(await ada.history(id)).toEqual([]);
  });

  it.each(['😀'.repeat(100_000), 'مرحبا بالعالم', 'e\u0301 \u200d\u200f x  ', '\ufeffBOM', '<|endoftext|>'])(
    'stores every character of the content (%#)',
    async (content) => {
      const { id } = await ada.createConversation();
      provider.willStream(content.slice(0, 1000));

      const { body } = await ada.send(id, content);

      expect(body.user_message.content === content).toBe(true);
      expect((await ada.history(id))[0]!.content === content).toBe(true);
      expect(provider.chats.at(-1)!.body.messages!.at(-1)!.content === content).toBe(true);
    },
  );
});

describe('titles', () => {
  const titled = (socket: { until: (p: (e: SeenEvent) => boolean) => Promise<SeenEvent> }) =>
    socket.until(
      ({ type, conversation }) =>
        type === 'conversation.updated' && (conversation as Thing).title_source === 'auto',
    );

  it('come from the first words until the model names the first turn', async () => {
    const socket = ada.socket();
    await socket.connected;
    const { id } = await ada.createConversation();
    provider.title = '"Greetings Among Friends."';

    await ada.send(id, 'Hello there my friend');
    const first = await socket.until(
      ({ type, conversation }) => type === 'conversation.updated' && (conversation as Thing).id === id,
    );
    const event = await titled(socket);
    provider.title = 'A fine title';

    expect(first.conversation).toMatchObject({ title: 'Hello there my friend', title_source: 'default' });
    expect(event.conversation).toMatchObject({ id, title: 'Greetings Among Friends', title_source: 'auto' });
    await socket.close();
  });

  it('are not requested when the user gave one', async () => {
    const { id } = await ada.createConversation({ title: 'Mine' });
    const [first, second, untitled] = [randomUUID(), randomUUID(), randomUUID()];
    await ada.send(id, first);
    await ada.send(id, second);
    const other = await ada.createConversation();
    await ada.send(other.id, untitled);

    const titleRequests = () =>
      provider.requests.filter(({ isTitle }) => isTitle).map(({ body }) => JSON.stringify(body));
    // Asked after the others would have been.
    await until(async () => titleRequests().some((body) => body.includes(untitled)));
    expect(titleRequests().filter((body) => body.includes(first) || body.includes(second))).toEqual([]);
    expect((await ada.get<Thing>(`/conversations/${id}`)).body).toMatchObject({
      title: 'Mine',
      title_source: 'user',
    });
  });
});

describe('branches', () => {
  it('create a sibling by regenerate and by edit, and either can be activated', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('first');
    const { body: one } = await ada.send(id, 'Question');
    provider.willStream('second');

    const { body: two } = await ada.post<ChatAnswer>(
      `/conversations/${id}/messages/${one.assistant_message.id}/regenerate`,
      {},
    );
    provider.willStream('third');
    const { body: three } = await ada.post<ChatAnswer>(
      `/conversations/${id}/messages/${one.user_message.id}/edit`,
      {
        content: 'Changed',
      },
    );

    expect(two.assistant_message).toMatchObject({
      content: 'second',
      parent_id: one.user_message.id,
      sibling_ids: [one.assistant_message.id, two.assistant_message.id],
    });
    expect(three.user_message).toMatchObject({
      content: 'Changed',
      parent_id: null,
      sibling_ids: [one.user_message.id, three.user_message.id],
    });
    expect(await ada.history(id)).toMatchObject([{ content: 'Changed' }, { content: 'third' }]);

    const back = await ada.post<Thing>(`/conversations/${id}/messages/${one.assistant_message.id}/activate`);
    expect(back.status).toBe(200);
    expect(back.body.messages).toMatchObject([{ content: 'Question' }, { content: 'first' }]);
    expect(back.body).toMatchObject({ active_message_id: one.assistant_message.id });
    const next = await ada.send(id, 'And then?');
    expect(next.body.user_message.parent_id).toBe(one.assistant_message.id);

    const whole = await ada.post<Thing>(`/conversations/${id}/messages/${one.user_message.id}/activate`);
    expect(whole.body.messages).toMatchObject([
      { content: 'Question' },
      { content: 'first' },
      { content: 'And then?' },
      { content: 'Hello from the model.' },
    ]);
  });

  it('refuse to regenerate a user’s message or to edit a reply', async () => {
    const { id } = await ada.createConversation();
    const { body } = await ada.send(id, 'Question');

    const regenerate = await ada.post(`/conversations/${id}/messages/${body.user_message.id}/regenerate`, {});
    const edit = await ada.post(`/conversations/${id}/messages/${body.assistant_message.id}/edit`, {
      content: 'x',
    });

    expect([regenerate, edit]).toMatchObject([
      { status: 409, body: { code: 'wrong_role' } },
      { status: 409, body: { code: 'wrong_role' } },
    ]);
  });
});

describe('another user', () => {
  it('gets 404 from every endpoint', async () => {
    const bob = await t.user().withConfig(provider).create();
    const { id } = await ada.createConversation();
    const { body } = await ada.send(id, 'Private');
    const calls = provider.chats.length;
    const message = body.assistant_message.id;

    const answers = await Promise.all([
      bob.send(id, 'Hi'),
      bob.post(`/conversations/${id}/messages`, { content: 'Hi' }),
      bob.post(`/conversations/${id}/stop`),
      bob.post(`/conversations/${id}/messages/${message}/regenerate`, {}),
      bob.post(`/conversations/${id}/messages/${body.user_message.id}/edit`, { content: 'x' }),
      bob.post(`/conversations/${id}/messages/${message}/activate`),
      bob.get(`/conversations/${id}/events`),
    ]);
    const missing = await bob.send(999_999_999, 'Hi');

    for (const answer of answers) {
      expect(answer.status).toBe(404);
      expect({ ...answer.body, request_id: '', instance: '' }).toEqual({
        ...missing.body,
        request_id: '',
        instance: '',
      });
    }
    expect(provider.chats.length).toBe(calls);
    expect(await ada.history(id)).toHaveLength(2);
  });
});
