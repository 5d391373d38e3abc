/** Replies of another node: deltas from Redis, played here, joined with the text that the other node has stored. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { messageCompleted, messageCreated, messageRestarted } from '../../src/chat/events/chat.events.js';
import type { ReplyRepository } from '../../src/chat/replies/reply-repository.js';
import { StreamedText } from '../../src/chat/replies/streamed-text.js';
import { RemoteReplies } from '../../src/chat/streams/remote-replies.js';
import type { Conversation } from '../../src/conversations/conversation.entity.js';
import type { MessageDto } from '../../src/conversations/messages/message.dto.js';
import { chunksBefore } from '../../src/conversations/messages/reply-chunk.entity.js';
import type { Deployment } from '../../src/database/deployment.entity.js';
import { Settings } from '../../src/env/settings.js';
import { EventHub } from '../../src/events/event-hub.js';
import { ParleyEvent } from '../../src/events/parley-event.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { createReplyRepository } from '../support/infrastructure/reply-repository.js';
import { until } from '../support/infrastructure/until.js';

let database: ChatDatabase;
let repository: ReplyRepository;
let conversation: Conversation;
let message: MessageDto;
let hub: EventHub;
let remote: RemoteReplies;
/** The other node's text; its events are delivered or lost. */
let running: StreamedText;
let events: ParleyEvent[];
let seq: number;

beforeAll(async () => {
  database = await ChatDatabase.create();
  repository = createReplyRepository(database.dataSource);
});
afterAll(() => database.drop());
beforeEach(async () => {
  conversation = await database.createConversation((await database.createUser()).id);
  const { id } = await database.addRunningReply(conversation, 'other');
  message = (await repository.findMessage(id))!;
  running = new StreamedText(message, 1);
  seq = 0;
  hub = new EventHub();
  remote = new RemoteReplies(new Settings(), {} as Deployment, hub, repository);
  events = [];
  hub.subscribe(conversation.userId, (event) => events.push(event));
  hub.subscribeDeltas(conversation.id, (event) => events.push(event));
});
afterEach(() => remote.onApplicationShutdown());

const receive = (event: ParleyEvent) => remote.receive(conversation.userId, event);

/** Appends text on the other node, which stores it. @returns the delta */
async function append(text: string, attempt = 1): Promise<ParleyEvent> {
  const number = chunksBefore(attempt) + ++seq;
  await repository.append([{ messageId: message.id, seq: number, part: 'content', text }]);
  return running.append('content', text);
}

/** The text that a client has after the events, which throws for a gap. */
function received(): string {
  let text = '';
  for (const { type, body } of events) {
    if (type === 'message.created' || type === 'message.restarted') text = '';
    if (type !== 'message.delta') continue;
    const { offset, text: more } = body as unknown as { offset: number; text: string };
    if (offset > text.length) throw new Error(`Gap before ${offset}`);
    text = text.slice(0, offset) + more;
  }
  return text;
}

const types = () => events.map(({ type }) => type);

describe('A reply of another node', () => {
  it('is delivered once, from its creation to its end', async () => {
    receive(messageCreated(message));
    receive(messageCreated(message));
    receive(await append('Hel'));
    receive(await append('lo'));
    receive(messageCompleted({ ...message, content: 'Hello' } as MessageDto, 1));

    expect(types()).toEqual(['message.created', 'message.delta', 'message.delta', 'message.completed']);
    expect(received()).toBe('Hello');
    expect(remote.all()).toEqual([]);
  });

  it('gets each lost delta from the database', async () => {
    receive(messageCreated(message));
    for (const lost of ['one ', 'three ', 'five ']) {
      await append(lost);
      receive(await append('more '));
      const { content } = running;
      await until(() => received() === content);
    }

    expect(received()).toBe('one more three more five more ');
  });

  it('does not deliver again what was received', async () => {
    receive(messageCreated(message));
    const first = await append('Hel');
    receive(first);
    receive(first);
    receive(await append('lo'));

    expect(types()).toEqual(['message.created', 'message.delta', 'message.delta']);
  });

  it('has the text lost at its end before its end', async () => {
    receive(messageCreated(message));
    receive(await append('Hel'));
    await append('lo');
    receive(messageCompleted({ ...message, content: 'Hello', status: 'complete' } as MessageDto, 1));

    expect(received()).toBe('Hello');
    expect(types().at(-1)).toBe('message.completed');
  });

  it('starts over when it restarts', async () => {
    receive(messageCreated(message));
    receive(await append('Hm'));
    running = new StreamedText(message, 2);
    seq = 0;
    receive(messageRestarted(message, 2));
    await append('An', 2);
    receive(await append('swer', 2));
    await until(() => received() === 'Answer');

    expect(remote.all()).toMatchObject([{ attempt: 2 }]);
  });

  it('is forgotten when events of its user were lost, or nobody subscribes', async () => {
    receive(messageCreated(message));
    remote.receive(conversation.userId + 1, new ParleyEvent('connection.resume', {}));
    remote.leave(conversation.userId + 1);
    expect(remote.all()).toHaveLength(1);
    receive(new ParleyEvent('connection.resume', {}));
    expect(remote.all()).toEqual([]);
    expect(types().at(-1)).toBe('connection.resume');

    receive(messageCreated(message));
    remote.leave(conversation.userId);
    expect(remote.all()).toEqual([]);
  });

  it('is forgotten when it ends or restarts on this node', () => {
    for (const event of [messageCompleted(message, 1), messageRestarted(message, 2)]) {
      receive(messageCreated(message));
      remote.send(conversation.userId, messageCreated(message));
      expect(remote.all()).toHaveLength(1);
      remote.send(conversation.userId, event);
      expect(remote.all()).toEqual([]);
    }
  });

  it('is forgotten when Redis was lost, and all clients resume', async () => {
    receive(messageCreated(message));
    receive(await append('Hel'));
    remote.missed();

    expect(remote.all()).toEqual([]);
    expect(types().at(-1)).toBe('connection.resume');
  });

  it('delivers nothing after it was forgotten', async () => {
    receive(messageCreated(message));
    await append('lost ');
    receive(await append('late'));
    remote.leave(conversation.userId);
    const forgotten = conversation;
    conversation = await database.createConversation(forgotten.userId);
    message = (await repository.findMessage((await database.addRunningReply(conversation, 'other')).id))!;
    running = new StreamedText(message, 1);
    let later = 0;
    hub.subscribeDeltas(conversation.id, () => later++);
    receive(messageCreated(message));
    await append('lost ');
    receive(await append('late'));
    // Its text comes after the other's would.
    await until(() => later > 0);

    expect(types()).toEqual(['message.created', 'message.created']);
  });

  it('that has ended already, or is a user’s message, is not followed', () => {
    receive(messageCreated({ ...message, role: 'user', status: 'complete' } as MessageDto));

    expect(remote.all()).toEqual([]);
    expect(types()).toEqual(['message.created']);
  });
});
