/** Pages of long messages, limited in bytes of JSON, over each transport. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { DataSource } from 'typeorm';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { type SeenEvent, within } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { gate } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

const MIB = 1024 * 1024;
const MAX_PAGE_BYTES = 16 * MIB;
const PATIENCE_MS = 25_000;

type Page = Thing & { messages: Thing[]; has_more: boolean };
type Text = { content?: string; reasoning?: string };

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(() => t?.stop());

/** Inserts assistant messages directly. @returns their ids */
async function plant(conversationId: number, texts: Text[]): Promise<number[]> {
  const repository = t.app.get(DataSource).getRepository(Message);
  const ids: number[] = [];
  for (const text of texts) {
    const { identifiers } = await repository.insert({
      ...{ content: '', reasoning: '', ...text },
      ...{ conversationId, userId: ada.id, parentId: ids.at(-1) ?? null, active: true, attempt: 1 },
      ...{ role: 'assistant', status: 'complete', createdAt: new Date() },
    });
    ids.push(Number(identifiers[0]!.id));
  }
  return ids;
}

const times = (count: number, text: Text) => Array.from({ length: count }, () => text);
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

function expectBounded(page: { messages?: Thing[]; results?: Thing[] }): void {
  const items = (page.messages ?? page.results)!;
  expect(items.length).toBeGreaterThan(0);
  if (items.length > 1) expect(bytesOf(page)).toBeLessThanOrEqual(MAX_PAGE_BYTES);
}

/** Reads a whole list page by page, newest first. */
async function readAll(path: string, itemsOf: (page: Page) => Thing[], idOf: (item: Thing) => unknown) {
  const items: Thing[] = [];
  for (let more = true; more;) {
    const before = items.length > 0 ? `&before_id=${String(idOf(items.at(-1)!))}` : '';
    const { status, body } = await ada.get<Page>(path + before);
    expect(status).toBe(200);
    expectBounded(body);
    items.push(...itemsOf(body));
    more = body.has_more;
  }
  return items;
}

const KINDS: [string, Text[]][] = [
  ['controls, six bytes each in JSON', times(2, { content: '\u0001'.repeat(3_000_000) })],
  ['ASCII', times(2, { content: 'x'.repeat(10 * MIB) })],
  ['reasoning', times(3, { reasoning: '"'.repeat(5 * MIB), content: 'Short' })],
  ['Chinese', times(70, { content: '你'.repeat(100_000) })],
  [
    'one long message between short ones',
    [
      ...times(3, { content: 'a' }),
      ...times(1, { content: '\n'.repeat(10 * MIB) }),
      ...times(3, { content: 'b' }),
    ],
  ],
];

describe.each(KINDS)('a conversation of %s', (_, texts) => {
  let id: number;
  let ids: number[];
  beforeAll(async () => {
    ({ id } = await ada.createConversation());
    ids = await plant(id, texts);
  }, 60_000);

  it('is read page by page, each message once', async () => {
    const found = await readAll(
      `/conversations/${id}?limit=200`,
      (page) => page.messages.toReversed(),
      (message) => message.id,
    );

    expect(found.map((message) => message.id)).toEqual(ids.toReversed());
    const wrong = found.toReversed().filter(({ content, reasoning }, index) => {
      const { content: text = '', reasoning: thought = '' } = texts[index]!;
      return content !== text || reasoning !== thought;
    });
    expect(wrong).toEqual([]);
  }, 60_000);

  // Socket.IO's polling client takes minutes for the longest answers, as it concatenates them with every chunk.
  it.each(texts.length > 50 ? ['websocket', 'polling'] : ['websocket'])(
    'opens over Socket.IO (%s)',
    async (transport) => {
      const socket = ada.socket({ transports: [transport as 'websocket'] });
      const command = { conversation_id: id, limit: 200 };
      const { ok, data } = await socket.emit<Page>('conversation.open', command, PATIENCE_MS);
      await socket.close();

      expect(ok).toBe(true);
      expectNewest(data);
    },
  );

  it('opens over a WebSocket', async () => {
    const ws = ada.ws(id);
    const snapshot = await ws.until(({ type }) => type === 'conversation.snapshot', PATIENCE_MS);
    const { data } = await ws.request('conversation.open', { limit: 200 }, PATIENCE_MS);
    await ws.close();

    expectNewest(snapshot as unknown as Page);
    expectNewest(data as Page);
  });

  it('returns a bounded page when a message is activated', async () => {
    const { status, body } = await ada.post<Page>(`/conversations/${id}/messages/${ids[0]}/activate`);

    expect(status).toBe(200);
    expectNewest(body);
  });

  function expectNewest(page: Page): void {
    const { messages, has_more } = page;
    expectBounded(page);
    expect(messages.map((message) => message.id)).toEqual(ids.slice(-messages.length));
    expect(has_more).toBe(messages.length < ids.length);
  }
});

describe('a conversation with a running reply', () => {
  it('returns a page with the reply so far, and fewer other messages', async () => {
    const { id } = await ada.createConversation();
    await plant(id, times(2, { content: '\u0001'.repeat(MIB) }));
    const held = gate();
    t.provider.willStream(...times(8, {}).map(() => '\u0002'.repeat(100_000)), held);
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    await sse.until(({ offset }) => offset === 700_000);
    const socket = ada.socket();

    const read = await ada.get<Page>(`/conversations/${id}`);
    const opened = await socket.emit<Page>('conversation.open', { conversation_id: id });
    held.open();

    for (const page of [read.body, opened.data]) {
      expectBounded(page);
      expect(page.has_more).toBe(true);
      expect(page.messages).toHaveLength(3);
      expect(page.messages[2]).toMatchObject({ status: 'streaming', content: '\u0002'.repeat(800_000) });
    }
    await socket.close();
  });
});

describe('a client that opens many long conversations concurrently', () => {
  let ids: number[];
  beforeAll(async () => {
    ids = [];
    for (let n = 0; n < 6; n++) {
      const { id } = await ada.createConversation();
      await plant(id, times(3, { content: 'x'.repeat(2 * MIB) }));
      ids.push(id);
    }
  });

  const expectWhole = (pages: Page[]) =>
    expect(pages.map((page) => [page.id, page.messages.length])).toEqual(ids.map((id) => [id, 3]));

  it.each(['websocket', 'polling'] as const)(
    'receives all of them and stays connected (%s)',
    async (transport) => {
      const socket = ada.socket({ transports: [transport] });
      const opened = ids.map((id) =>
        socket.emit<Page>('conversation.open', { conversation_id: id }, PATIENCE_MS),
      );

      expectWhole((await Promise.all(opened)).map(({ data }) => data));
      expect(socket.io.connected).toBe(true);
      await socket.close();
    },
  );

  it('receives all of them over one WebSocket', async () => {
    const ws = ada.ws(ids[0]!);
    const opened = ids.map((id) => ws.request('conversation.open', { conversation_id: id }, PATIENCE_MS));

    expectWhole((await Promise.all(opened)).map(({ data }) => data as Page));
    await ws.close();
  });
});

describe('a search over long messages', () => {
  const word = 'needle';
  let texts: string[];
  let ids: number[];
  beforeAll(async () => {
    const prompt = '"'.repeat(100_000);
    const conversations = await Promise.all(
      Array.from({ length: 30 }, () =>
        ada.createConversation({ title: `${word} in the title`, system_prompt: prompt }),
      ),
    );
    texts = Array.from({ length: 8 }, (_, n) => `${n} ${word} `.padEnd(500_000, '\u0001'));
    ids = await plant(
      conversations[0]!.id,
      texts.map((content) => ({ content })),
    );
  });

  it('finds each message once, page by page, after the titles', async () => {
    const { body: first } = await ada.get<Page & { results: Thing[] }>(`/conversations/search?q=${word}`);
    const results = await readAll(
      `/conversations/search?q=${word}&limit=100`,
      (page) => (page as unknown as { results: Thing[] }).results,
      (result) => (result.message as Thing).id,
    );
    const found = results.flatMap(({ message }) => (message as Thing | null) ?? []);

    expect(first.results.filter(({ message }) => message === null).length).toBeGreaterThan(5);
    expect(found.map((message) => message.id)).toEqual(ids.toReversed());
    expect(found.toReversed().every(({ content }, index) => content === texts[index])).toBe(true);
  });
});

describe('a search that scans long messages', () => {
  it('does not block the event loop', async () => {
    const { id } = await ada.createConversation();
    await plant(id, times(6, { content: 'x'.repeat(10 * MIB) }));
    let longest = 0;
    let isOver = false;
    const began = performance.now();
    const turn = (before: number) => {
      longest = Math.max(longest, performance.now() - before);
      if (!isOver) setImmediate(turn, performance.now());
    };
    turn(began);

    const { body } = await ada.get<{ results: Thing[] }>('/conversations/search?q=nowhere');
    isOver = true;

    expect(body.results).toEqual([]);
    expect(longest).toBeLessThan((performance.now() - began) / 3);
  }, 60_000);
});

describe('the replay for a client of server-sent events', () => {
  const texts = [
    ...times(10, { content: 'x'.repeat(MIB) }),
    ...times(3, { content: '\u0001'.repeat(2 * MIB) }),
  ];
  let id: number;
  let ids: number[];
  const connections = new Set<Socket>();
  beforeAll(async () => {
    ({ id } = await ada.createConversation());
    ids = await plant(id, [{ content: 'Seen' }, ...texts]);
    t.app.getHttpServer().on('connection', (connection: Socket) => connections.add(connection));
  });
  const resume = () =>
    ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': `${ids[0]}.1.4.0.done` });

  it('arrives whole at the reader’s pace, in any size', async () => {
    const sse = await resume();
    await sse.until(({ type }) => type === 'conversation.updated', PATIENCE_MS);
    const completed = sse.events.filter(({ type }) => type === 'message.completed');
    const deltas = sse.events.filter(({ type }) => type === 'message.delta');

    expect(completed.map(({ message }) => (message as Thing).id)).toEqual(ids.slice(1));
    expect(
      completed.every(({ message }, index) => (message as Thing).content === texts[index]!.content),
    ).toBe(true);
    expect(deltas.every(({ text }, index) => text === texts[index]!.content)).toBe(true);
    await sse.close();
  }, 60_000);

  it('continues with the events during and after the replay', async () => {
    const sse = await resume();
    await sse.until(({ type }) => type === 'message.completed', PATIENCE_MS);
    t.provider.willStream('While you ', 'were reading');
    const { body } = await ada.send(id, 'Meanwhile');
    const isReply = (event: SeenEvent) => (event.message as Thing)?.id === body.assistant_message.id;
    await sse.until((event) => event.type === 'message.completed' && isReply(event), PATIENCE_MS);
    t.provider.willStream('Live');
    const live = await ada.send(id, 'Now');
    await sse.until(({ message }) => (message as Thing)?.id === live.body.assistant_message.id);

    const completed = sse.events
      .filter(({ type }) => type === 'message.completed')
      .map(({ message }) => (message as Thing).id);
    expect(completed.filter((each) => each === body.assistant_message.id)).toHaveLength(1);
    await sse.close();
  }, 60_000);

  it('is aborted when the client reads nothing', async () => {
    const stalled = connect(Number(new URL(t.url).port), '127.0.0.1');
    stalled.on('error', () => undefined).pause();
    stalled.write(
      `GET /conversations/${id}/events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: ${ids[0]}.1.4.0.done\r\n` +
        `Authorization: Bearer ${ada.tokens.access_token}\r\n\r\n`,
    );
    await once(stalled, 'connect');
    const { localPort } = stalled;
    const isIt = ({ remotePort }: Socket) => remotePort === localPort;
    while (![...connections].some(isIt)) await new Promise(setImmediate);
    const connection = [...connections].find(isIt)!;
    let waited = 0;
    const sampler = setInterval(() => (waited = Math.max(waited, connection.writableLength)), 1);

    await within(once(connection, 'close'), 'It was not cut', 20_000);
    clearInterval(sampler);
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThan(MIB);
    stalled.destroy();
  });

  it('is the same for a repeated send, for a reply of any length', async () => {
    const { id: other } = await ada.createConversation();
    const message = { content: 'Long', client_message_id: '4d3c2b1a-0000-4000-8000-000000000014' };
    t.provider.willStream(...Array<string>(12).fill('\u0003'.repeat(100_000)));
    await ada.send(other, message.content, message);

    const sse = await ada.sse(`/conversations/${other}/chat`, message);
    await sse.until(({ type }) => type === 'message.completed', PATIENCE_MS);
    await sse.ended;

    expect(sse.events.map(({ type }) => type)).toEqual([
      ...['message.created', 'message.created', 'message.delta', 'message.completed'],
    ]);
    expect(sse.events[2]!.text === '\u0003'.repeat(1_200_000)).toBe(true);
  });
});
