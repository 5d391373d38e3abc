/** How clients are joined to what happens, at moments that are too short to be met from outside: asked of the services. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { messageCompleted, messageCreated, messageRestarted } from '../../src/chat/events/chat.events.js';
import { ConversationStream } from '../../src/chat/streams/conversation-stream.js';
import { ReplyStream } from '../../src/chat/streams/reply-stream.js';
import { RemoteReplies } from '../../src/chat/streams/remote-replies.js';
import type { MessageDto } from '../../src/conversations/messages/message.dto.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import { EventHub } from '../../src/events/event-hub.js';
import type { ParleyEvent } from '../../src/events/parley-event.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { EventLog, type SeenEvent } from '../support/clients/event-log.js';
import { BLANK } from '../support/app/messages.js';
import { until } from '../support/infrastructure/until.js';
import { gate } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let ends: (() => void)[] = [];

/** Each group has an app of its own. */
function withApp(env: Record<string, string> = {}): void {
  beforeAll(async () => {
    t = await startTestApp({ env });
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());
}
afterEach(() => {
  ends.forEach((end) => end());
  ends = [];
  jest.restoreAllMocks();
});

const hub = () => t.app.get(EventHub);
const reader = () => t.app.get(MessagesService);
const seen = ({ type, body }: ParleyEvent): SeenEvent => ({ ...body, type });

/** Where a client stands after an event of this kind of the conversation's first turn. */
async function firstTurn(...types: string[]): Promise<{ id: number; cursors: string[] }> {
  const { id } = await ada.createConversation({ title: 'Streamed' });
  const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'First' });
  await sse.until(({ type }) => type === 'message.completed');
  const cursors = types.map((wanted) => sse.events.find(({ type }) => type === wanted)!.id!);
  return { id, cursors };
}

/** A reply that another node runs, with its text so far. */
async function replyElsewhere(text: string): Promise<{ reply: MessageDto; row: Message }> {
  const { id: conversationId } = await ada.createConversation();
  const place = { ...BLANK, conversationId, userId: ada.id, createdAt: new Date() };
  const asked = await t.manager.save(Message, { ...place, role: 'user', content: 'Hi', parentId: null });
  const running = { status: 'streaming', streamingIn: conversationId, nodeId: 'elsewhere' } as const;
  const { id } = await t.manager.save(Message, {
    ...place,
    role: 'assistant',
    parentId: asked.id,
    ...running,
  });
  await t.manager.insert(ReplyChunk, { messageId: id, seq: 1, part: 'content', text });
  const row = await t.manager.findOneByOrFail(Message, { id });
  const [reply] = await reader().toDtos([t.manager.create(Message, row)]);
  return { reply: reply!, row };
}

describe('a client that resumes', () => {
  withApp();

  it('receives missed messages, replies as deltas, and the current conversation', async () => {
    const { id, cursors } = await firstTurn('message.completed');
    await ada.send(id, 'Second');
    await ada.post(`/conversations/${id}/update`, { title: 'Renamed' });

    const headers = { 'Last-Event-ID': cursors[0]! };
    const sse = await ada.sse(`/conversations/${id}/events`, undefined, headers);
    await sse.until(({ type }) => type === 'conversation.updated');

    const [asked, reply] = (await ada.history(id)).slice(-2);
    expect(sse.events).toMatchObject([
      { type: 'message.created', message: asked },
      { type: 'message.created', message: { id: reply!.id, content: '', status: 'streaming' } },
      { type: 'message.delta', message_id: reply!.id, offset: 0, text: reply!.content },
      { type: 'message.completed', message: reply },
      { type: 'conversation.updated', conversation: { id, title: 'Renamed' } },
    ]);
  });

  it.each(['has ended', 'still runs'])(
    'receives once what was stored before it was published, of a reply that %s',
    async (state) => {
      const { id, cursors } = await firstTurn('message.completed');
      const held = gate();
      t.provider.willStream('Hello', ...(state === 'still runs' ? [held] : []));
      const sent = await ada.sse(`/conversations/${id}/chat`, { content: 'Second' });
      await sent.until(
        ({ type }) => type === (state === 'still runs' ? 'message.delta' : 'message.completed'),
      );
      const sse = await ada.sse(`/conversations/${id}/events`, undefined, { 'Last-Event-ID': cursors[0]! });
      await sse.until(({ type }) => type === 'conversation.updated');
      const before = sse.events.length;

      const [asked, reply] = (await ada.history(id)).slice(-2) as unknown as [MessageDto, MessageDto];
      const late = [messageCreated(asked), messageCreated(reply)];
      if (state === 'has ended') late.push(messageCompleted(reply, 1));
      for (const event of late) hub().deliver(ada.id, event);
      await ada.post(`/conversations/${id}/update`, { title: 'Renamed' });
      await sse.until(() => sse.events.filter(({ type }) => type === 'conversation.updated').length === 2);

      expect(sse.events.slice(before).map(({ type }) => type)).toEqual(['conversation.updated']);
      held.open();
      await sent.ended;
    },
  );
});

describe('a client that waits for a reply of another node', () => {
  withApp(); // Without Redis the database is looked at every second.

  it('ignores an older attempt that the database still shows', async () => {
    const { reply, row } = await replyElsewhere('first try');
    const log: SeenEvent[] = [];
    const looks = jest.spyOn(reader(), 'toDtos');
    const send = (event: ParleyEvent) => void log.push(seen(event));
    ends.push(await t.app.get(ReplyStream).follow(ada.id, reply, { send }));
    const before = looks.mock.calls.length;

    hub().deliver(ada.id, messageRestarted(reply, 2));
    await until(async () => looks.mock.calls.length > before);
    await looks.mock.results.at(-1)!.value;
    const change = { status: 'complete', streamingIn: null, content: 'second', attempt: 2 } as const;
    await t.manager.update(Message, { id: row.id }, change);
    await until(async () => log.at(-1)!.type === 'message.completed');

    expect(log.map(({ type, text }) => [type, text])).toEqual([
      ['message.delta', 'first try'],
      ['message.restarted', undefined],
      ['message.delta', 'second'],
      ['message.completed', undefined],
    ]);
  });
});

describe('a node with a Redis', () => {
  // Unreachable: only the database has the replies of other nodes.
  withApp({ REDIS_URL: 'redis://127.0.0.1:1' });

  it('sends text that arrived between snapshot and subscription, even if no more follows', async () => {
    const { reply, row } = await replyElsewhere('read, ');
    const log = new EventLog('The reader');
    const stream = t.app.get(ConversationStream);
    const subscription = stream.subscribe(ada.id, (event) => log.push(seen(event)));
    subscription.open(row.conversationId);
    ends.push(() => subscription.end());
    await t.manager.insert(ReplyChunk, { messageId: row.id, seq: 2, part: 'content', text: 'and missed' });

    t.app.get(RemoteReplies).follow(ada.id, reply, 1);

    await log.until(({ text }) => text === 'and missed', 5000);
    expect(log.events.filter(({ type }) => type === 'message.delta')).toMatchObject([
      { offset: 0, text: 'read, ' },
      { offset: 6, text: 'and missed' },
    ]);
  });

  it('sends connection.resume to its clients after it may have missed events', async () => {
    const { id } = await firstTurn();
    const [socket, ws] = [ada.socket(), ada.ws(id)];
    const sse = await ada.sse(`/conversations/${id}/events`);
    await Promise.all([socket.connected, ws.until(({ type }) => type === 'conversation.snapshot')]);

    t.app.get(RemoteReplies).missed();

    expect(await socket.disconnected).toBe('transport close');
    expect((await ws.closed).code).toBe(1012);
    await sse.ended;
  });
});
