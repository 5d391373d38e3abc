import { isCompleted, isDelta } from '../support/clients/events.js';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { ConversationsService } from '../../src/conversations/conversations.service.js';
import { EventHub } from '../../src/events/event-hub.js';
import { tokenWithSecondsLeft } from '../support/app/access-token.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { within, type SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate, reasoning, type PlayedProvider } from '../support/provider/provider.js';
import { SseRefused, type SseReader } from '../support/clients/sse.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

let t: TestApp;
let provider: PlayedProvider;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  provider = t.provider;
  ada = await t.user().withConfig(provider).create();
});
afterAll(() => t?.stop());

const isOfMessages = ({ type }: SeenEvent) => type.startsWith('message.');

/** A conversation as a client assembles it from the events by the rules of docs/clients.md. */
class View {
  readonly messages = new Map<number, { content: string; reasoning: string; status: string }>();

  constructor(events: SeenEvent[] = []) {
    events.forEach((event) => this.apply(event));
  }

  apply({ type, ...event }: SeenEvent): this {
    if (type === 'message.delta') {
      const message = this.messages.get(event.message_id as number)!;
      const part = event.part as 'content' | 'reasoning';
      if (Number(event.offset) > message[part].length) throw new Error(`A gap before ${String(event.text)}`);
      message[part] = message[part].slice(0, Number(event.offset)) + String(event.text);
    } else if (type.startsWith('message.')) {
      const { id, content, reasoning: thoughts, status } = event.message as Thing & Record<string, string>;
      this.messages.set(id, { content: content!, reasoning: thoughts!, status: status! });
    }
    return this;
  }
}

const follow = (user: TestUser, id: number, lastEventId?: string): Promise<SseReader> =>
  user.sse(
    `/conversations/${id}/events`,
    undefined,
    lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
  );

/** How many parts of the server listen to what happens to the user's things. */
function listenersFor(user: TestUser): number {
  const { listeners } = t.app.get(EventHub) as unknown as { listeners: Map<number, Set<unknown>> };
  return listeners.get(user.id)?.size ?? 0;
}

/** Waits, because the server receives the end of a connection a little later. */
async function noListenersLeft(user: TestUser): Promise<void> {
  const deadline = Date.now() + 3000;
  while (listenersFor(user) > 0) {
    if (Date.now() > deadline) throw new Error(`${listenersFor(user)} listeners are left`);
    await new Promise(setImmediate);
  }
}

describe('an event stream', () => {
  it('forbids proxies to buffer, cache or transform it', async () => {
    const { id } = await ada.createConversation();
    const sse = await follow(ada, id);

    expect(sse.response.headers.get('Content-Type')).toBe('text/event-stream; charset=utf-8');
    expect(sse.response.headers.get('Cache-Control')).toBe('no-store, no-transform');
    expect(sse.response.headers.get('X-Accel-Buffering')).toBe('no');
    expect(sse.response.headers.get('Content-Encoding')).toBeNull();
    expect(sse.response.headers.get('X-Request-Id')).toEqual(expect.any(String));
    await sse.close();
  });

  it('names each event, puts its body on one line, and sets an id on resumable events', async () => {
    const { id } = await ada.createConversation();
    provider.willStream('a\nb\r\nc\u2028d\u0085e');
    const response = await ada.fetch(
      'POST',
      `/conversations/${id}/chat`,
      { content: 'Lines\n\ndata: x\n' },
      {
        Accept: 'text/event-stream',
      },
    );

    const frames = (await response.text()).split('\n\n');

    expect(frames.pop()).toBe('');
    for (const frame of frames) expect(frame).toMatch(/^id: [\w.]+\nevent: message\.\w+\ndata: \{.*\}$/s);
    for (const frame of frames) expect(frame.split('\n')).toHaveLength(3);
    const last = JSON.parse(frames.at(-1)!.split('\ndata: ')[1]!);
    expect(last.message.content).toBe('a\nb\r\nc\u2028d\u0085e');
  });

  it('sends a running reply’s text so far, then the rest, then later replies', async () => {
    const { id } = await ada.createConversation();
    const held = gate();
    provider.willStream(reasoning('Hm. '), 'so far, ', held, 'so good');
    const first = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await first.until(({ text }) => text === 'so far, ');

    const sse = await follow(ada, id);
    await sse.until(({ text }) => text === 'so far, ');
    const soFar = sse.events.map(({ type, part, offset, text }) => [type, part, offset, text]);
    held.open();
    await sse.until(isCompleted);
    await ada.send(id, 'And?');
    const next = ({ type, message }: SeenEvent) =>
      type === 'message.completed' && (message as Thing).content === 'Hello from the model.';
    await sse.until(next);
    await ada.post(`/conversations/${id}/update`, { title: 'Changed' });
    await sse.until(
      ({ type, conversation }) =>
        type === 'conversation.updated' && (conversation as Thing).title === 'Changed',
    );

    expect(soFar).toEqual([
      ['message.delta', 'reasoning', 0, 'Hm. '],
      ['message.delta', 'content', 0, 'so far, '],
    ]);
    expect(sse.events.find(isCompleted)).toMatchObject({ message: { content: 'so far, so good' } });
    await sse.close();
  });

  it('sends no event of another conversation', async () => {
    const [one, other] = [await ada.createConversation(), await ada.createConversation()];
    const sse = await follow(ada, one.id);

    await ada.send(other.id, 'Elsewhere');
    await ada.send(one.id, 'Here');
    await sse.until(isCompleted);

    for (const event of sse.events) expect(JSON.stringify(event)).toContain(`":${one.id}`);
    await sse.close();
  });

  it('sends conversation.deleted and ends when the conversation is deleted', async () => {
    const { id } = await ada.createConversation();
    const sse = await follow(ada, id);

    await ada.post(`/conversations/${id}/delete`);
    await within(sse.ended, 'It did not end');

    expect(sse.events.at(-1)).toEqual({ type: 'conversation.deleted', conversation_id: id });
  });

  it.each(['999999', '0', 'abc', '-1', '1.5'])('is not found for the id %s', async (id) => {
    const refused = await ada.sse(`/conversations/${id}/events`).catch((error: SseRefused) => error.answer);

    expect(refused).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });
});

describe('Last-Event-ID', () => {
  it('resumes with exactly the rest from every event of a stream', async () => {
    const { id } = await ada.createConversation();
    const recorder = await follow(ada, id);
    provider.willStream(reasoning('Let me '), reasoning('think.'), 'One 👋🏽', ' two ', 'e\u0301 three');
    await ada.send(id, 'First');
    provider.willStream('Second ', 'reply');
    const { body } = await ada.send(id, 'Second');
    await ada.post(`/conversations/${id}/messages/${body.assistant_message.id}/regenerate`, {});
    const last = (await ada.history(id)).at(-1)!;
    await recorder.until((event) => isCompleted(event) && (event.message as Thing).id === last.id);
    await recorder.close();
    const recorded = recorder.events;
    const whole = new View(recorded).messages;

    let lastEventId: string | undefined;
    for (const [index, event] of recorded.entries()) {
      lastEventId = event.id ?? lastEventId;
      if (event.id === undefined) continue;
      const view = new View(recorded.slice(0, index + 1));
      const resumed = await follow(ada, id, lastEventId);
      const missing = recorded.slice(index + 1).filter(isCompleted).length;
      if (missing > 0) await resumed.until(() => resumed.events.filter(isCompleted).length === missing);
      await resumed.close();

      resumed.events.forEach((missed) => view.apply(missed));
      expect([index, view.messages]).toEqual([index, whole]);
      const known = new Set(recorded.slice(0, index + 1).map(({ message }) => (message as Thing)?.id));
      const created = resumed.events.filter(({ type }) => type === 'message.created');
      expect(created.filter(({ message }) => known.has((message as Thing).id))).toEqual([]);
      expect(
        resumed.events.filter(isDelta).every(({ offset, message_id, part }) => {
          const before = new View(recorded.slice(0, index + 1)).messages.get(message_id as number);
          return Number(offset) === (before?.[part as 'content'].length ?? 0);
        }),
      ).toBe(true);
    }
    expect(whole.size).toBe(5);
  });

  it('resumes a running reply and one that ended meanwhile', async () => {
    const { id } = await ada.createConversation();
    const [one, two] = [gate(), gate()];
    provider.willStream('a', one, 'b', two, 'c');
    const first = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await first.until(({ text }) => text === 'a');
    const { lastEventId } = first;
    await first.close();

    one.open();
    const second = await follow(ada, id, lastEventId);
    await second.until(({ text }) => text === 'b');
    expect(second.events.filter(isOfMessages)).toMatchObject([{ offset: 1, text: 'b' }]);
    await second.close();
    two.open();
    await (await follow(ada, id, second.lastEventId)).until(isCompleted);
    const third = await follow(ada, id, second.lastEventId);
    await third.until(isCompleted);

    expect(third.events.filter(isOfMessages)).toMatchObject([
      { type: 'message.delta', offset: 2, text: 'c' },
      { type: 'message.completed', message: { content: 'abc' } },
    ]);
  });

  it.each([
    '',
    'garbage',
    '1',
    '1.2.3',
    '-1.1.0.0',
    '1.1.0.0.done.more',
    '1e3.1.0.0',
    '1.1.0.0\u00e9',
    'null',
    '9'.repeat(30),
  ])('that was never issued (%s) is ignored', async (lastEventId) => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'Before');
    const held = gate();
    provider.willStream('so far', held);
    const running = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await running.until(isDelta);

    const sse = await follow(ada, id, lastEventId);
    await sse.until(isDelta);
    held.open();
    await sse.until(isCompleted);

    expect(sse.events.filter(isOfMessages)).toMatchObject([
      { type: 'message.delta', offset: 0, text: 'so far' },
      { type: 'message.completed', message: { content: 'so far' } },
    ]);
    await sse.close();
  });

  it('beyond the last event starts with the next event', async () => {
    const { id } = await ada.createConversation();
    await ada.send(id, 'Before');
    const sse = await follow(ada, id, '9007199254740991.1.999999999.0');

    await ada.send(id, 'Now');
    await sse.until(isCompleted);

    expect(new View(sse.events).messages.size).toBe(2);
    await sse.close();
  });
});

describe('the Accept header', () => {
  it.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
    ['text/*', 'text/event-stream'],
    ['application/json, text/event-stream', 'application/json'],
    ['text/event-stream, application/json', 'text/event-stream'],
    ['text/event-stream;q=0.5, application/json', 'application/json'],
    ['application/json;q=0.5, text/event-stream', 'text/event-stream'],
    ['text/event-stream, */*;q=0.1', 'text/event-stream'],
    ['application/json;q=0, */*', 'text/event-stream'],
    ['TEXT/EVENT-STREAM', 'text/event-stream'],
  ])('%s is answered with %s', async (accept, expected) => {
    const { id } = await ada.createConversation();

    const response = await ada.fetch(
      'POST',
      `/conversations/${id}/chat`,
      { content: 'Hi' },
      {
        ...(accept && { Accept: accept }),
      },
    );
    const text = await response.text();

    expect(response.headers.get('Content-Type')).toContain(expected);
    expect(text.startsWith('{"user_message"')).toBe(expected === 'application/json');
    expect(text).toContain('Hello from the model.');
  });
});

describe('a session', () => {
  it('closes its own streams within a second of its end, and no other’s', async () => {
    const user = await t.user().withConfig(provider).create();
    const device = await user.signInAgain();
    const { id } = await user.createConversation();
    const held = gate();
    provider.willStream('so far', held, 'the rest');
    const [kept, ended] = [await follow(user, id), await follow(device, id)];
    const posted = await device.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await posted.until(isDelta);

    await device.post('/auth/logout');
    await within(Promise.all([ended.ended, posted.ended]), 'They did not end', 1000);
    held.open();
    await kept.until(isCompleted);

    expect(JSON.stringify([ended.events, posted.events])).not.toContain('the rest');
    await kept.close();
  });

  it('closes a stream when the token expires, but not a running chat response', async () => {
    const { id } = await ada.createConversation();
    const device = await ada.signInAgain();
    device.tokens.access_token = tokenWithSecondsLeft(t, device, 2);
    const held = gate();
    provider.willStream('so far', held, ', and the rest');
    const followed = await follow(device, id);
    const posted = await device.sse(`/conversations/${id}/chat`, { content: 'Hi' });

    await within(followed.ended, 'It did not end', 4000);
    held.open();
    await posted.ended;

    expect(posted.events.at(-1)).toMatchObject({ message: { content: 'so far, and the rest' } });
  });
});

describe('a disconnected client', () => {
  const get = (user: TestUser, path: string, method = 'GET') =>
    request(t.url + path, { method, headers: { Authorization: `Bearer ${user.tokens.access_token}` } });

  it('leaves no subscription behind', async () => {
    const user = await t.user().withConfig(provider).create();
    const { id } = await user.createConversation();
    provider.willStream('so far', gate());
    const streams = await Promise.all(Array.from({ length: 5 }, () => follow(user, id)));
    const posted = await user.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await posted.until(isDelta);
    expect(listenersFor(user)).toBeGreaterThan(5);

    await Promise.all([...streams, posted].map((stream) => stream.close()));
    await user.post(`/conversations/${id}/stop`);

    await noListenersLeft(user);
  });

  it('leaves no subscription behind when it disconnects before the stream starts', async () => {
    const user = await t.user().withConfig(provider).create();
    const { id } = await user.createConversation();
    const conversations = t.app.get(ConversationsService);
    const getOwned = conversations.getOwned.bind(conversations);
    const held = gate();
    const spy = jest.spyOn(conversations, 'getOwned').mockImplementation(async (userId, conversationId) => {
      await (held as unknown as () => Promise<void>)();
      return getOwned(userId, conversationId);
    });
    const left: Promise<unknown>[] = [];
    t.app.getHttpServer().on('request', (_request: unknown, response: NodeJS.EventEmitter) => {
      left.push(once(response, 'close'));
    });

    const requests = [get(user, `/conversations/${id}/events`), get(user, `/conversations/${id}/events`)];
    for (const leaver of requests) leaver.on('error', () => undefined).end();
    await called(spy, 2);
    requests.forEach((leaver) => leaver.destroy());
    await Promise.all(left);
    held.open();
    await Promise.all(spy.mock.results.map(({ value }) => value as Promise<unknown>));
    spy.mockRestore();

    await noListenersLeft(user);
  });

  it('gets only the headers for HEAD, and frees the connection', async () => {
    const user = await t.user().create();
    const { id } = await user.createConversation();
    const head = ['HEAD', 'GET'].map((method) =>
      [
        `${method} /conversations/${id}${method === 'HEAD' ? '/events' : ''} HTTP/1.1`,
        'Host: a',
        `Authorization: Bearer ${user.tokens.access_token}`,
        ...(method === 'GET' ? ['Connection: close'] : []),
        '',
        '',
      ].join('\r\n'),
    );
    const connection = connect(Number(new URL(t.url).port), '127.0.0.1');
    let received = '';
    connection.on('data', (data) => (received += data.toString()));

    connection.write(head.join(''));
    await within(once(connection, 'close'), 'The connection was not free');

    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n.*text\/event-stream.*\r\n\r\nHTTP\/1\.1 200 OK\r\n/s);
    expect(received).toContain(`{"id":${id},`);
    await noListenersLeft(user);
  });
});

async function called(spy: { mock: { calls: unknown[] } }, times: number): Promise<void> {
  while (spy.mock.calls.length < times) await new Promise(setImmediate);
}

describe('a turn over server-sent events', () => {
  it('ends with message.completed, and so does its repeat', async () => {
    const { id } = await ada.createConversation();
    const message = { content: 'Hi', client_message_id: '4d3c2b1a-0000-4000-8000-000000000002' };
    const first = await ada.sse(`/conversations/${id}/chat`, message);
    await within(first.ended, 'It did not end');
    const again = await ada.sse(`/conversations/${id}/messages`, message);
    await within(again.ended, 'It did not end');

    expect(again.events.map(({ type }) => type)).toEqual([
      'message.created',
      'message.created',
      'message.delta',
      'message.completed',
    ]);
    expect(again.events.at(-1)).toEqual(first.events.at(-1));
    const { body } = await ada.post<ChatAnswer>(`/conversations/${id}/chat`, message);
    expect(again.events.at(-1)).toMatchObject({ message: body.assistant_message });
  });
});
