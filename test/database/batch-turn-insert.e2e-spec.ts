import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { BatchTurnInsert, type SendTurn } from '../../src/chat/turns/batch-turn-insert.js';
import { ConversationHeads } from '../../src/chat/turns/conversation-heads.js';
import { RawEntityWriter } from '../../src/chat/turns/raw-entity-writer.js';
import type { Turn } from '../../src/chat/turns/turn.js';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { isDuplicateKey } from '../../src/database/retry.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { onMysql } from '../support/infrastructure/database.js';

let database: ChatDatabase;
let userId: number;
let conversations: Conversation[];

beforeAll(async () => {
  database = await ChatDatabase.create();
  ({ id: userId } = await database.createUser());
});
afterAll(() => database.drop());
beforeEach(async () => {
  conversations = [];
  for (let n = 0; n < 3; n++) conversations.push(await database.createConversation(userId));
});

const origin = { nodeId: 'node', configId: null, modelName: 'model' };

function sendTo(
  conversation: Conversation,
  content: string,
  clientMessageId: string | null = null,
): SendTurn {
  return {
    userId,
    conversationId: conversation.id,
    request: { kind: 'send', content, clientMessageId },
    origin,
  };
}

function insert(
  sends: SendTurn[],
  before?: (manager: EntityManager) => Promise<unknown>,
): Promise<Map<SendTurn, Turn>> {
  const { dataSource } = database;
  return dataSource.transaction(async (manager) => {
    await before?.(manager);
    const messages = new RawEntityWriter(dataSource, Message);
    return new BatchTurnInsert(manager, new ConversationHeads(dataSource), messages).run(sends);
  });
}

async function endReply({ id }: Conversation): Promise<void> {
  await database.dataSource.manager.update(
    Message,
    { streamingIn: id },
    { status: 'complete', streamingIn: null },
  );
}

/** Checks a turn against the database. */
async function expectStored(conversation: Conversation, send: SendTurn, turn?: Turn): Promise<void> {
  const stored = await database.messagesOf(conversation);
  const [userMessage, reply] = stored.slice(-2) as [Message, Message];
  expect(userMessage).toMatchObject({ role: 'user', userId, status: 'complete', active: true });
  expect(userMessage.content).toBe(send.request.content);
  expect(userMessage.parentId).toBe(stored.at(-3)?.id ?? null);
  const running = { role: 'assistant', userId, status: 'streaming', streamingIn: conversation.id, ...origin };
  expect(reply).toMatchObject({ ...running, parentId: userMessage.id });
  expect([turn?.userMessage.id, turn?.assistantMessage.id]).toEqual([userMessage.id, reply.id]);
  const { manager } = database.dataSource;
  const head = { activeMessageId: reply.id, messageCount: stored.length, updatedAt: reply.createdAt };
  expect(await manager.findOneByOrFail(Conversation, { id: conversation.id })).toMatchObject(head);
}

const titleOf = async ({ id }: Conversation) =>
  (await database.dataSource.manager.findOneByOrFail(Conversation, { id })).title;

it('a batch stores each send in its own conversation', async () => {
  const sends = conversations.map((conversation, n) => sendTo(conversation, `First ${n}`));
  const turns = await insert(sends);
  for (const [n, conversation] of conversations.entries()) {
    await expectStored(conversation, sends[n]!, turns.get(sends[n]!));
    expect(await titleOf(conversation)).toBe(`First ${n}`);
    await endReply(conversation);
  }

  const next = conversations.map((conversation, n) => sendTo(conversation, `Second ${n}`)).reverse();
  const nextTurns = await insert(next);
  for (const [n, conversation] of [...conversations].reverse().entries()) {
    await expectStored(conversation, next[n]!, nextTurns.get(next[n]!));
  }
  expect(await titleOf(conversations[1]!)).toBe('First 1');
});

it('a batch leaves out sends that would be refused', async () => {
  const other = await database.createConversation((await database.createUser()).id);
  const [free, busy, deleted] = conversations as [Conversation, Conversation, Conversation];
  const running = await database.addRunningReply(busy, 'other');
  await database.dataSource.manager.delete(Conversation, { id: deleted.id });
  const sends = [sendTo(free, 'Stored'), sendTo(free, 'Second in a conversation')];
  sends.push(...[busy, deleted, other].map((conversation) => sendTo(conversation, 'Left out')));

  const turns = await insert(sends);

  expect([...turns.keys()]).toEqual([sends[0]]);
  expect((await database.messagesOf(free)).map(({ content }) => content)).toEqual(['Stored', '']);
  expect((await database.messagesOf(busy)).at(-1)!.id).toBe(running.id);
  expect(await database.messagesOf(other)).toEqual([]);
});

it('a batch without a send that can be stored is empty', async () => {
  const [busy] = conversations as [Conversation];
  await database.addRunningReply(busy, 'other');

  expect(await insert([sendTo(busy, 'Left out')])).toEqual(new Map());
});

it('a batch with a repeat of a stored send stores nothing', async () => {
  const [stored, other] = conversations as [Conversation, Conversation];
  const clientMessageId = randomUUID();
  await database.addMessage(stored, { content: 'Stored', clientMessageId });

  const error = await insert([sendTo(other, 'New'), sendTo(stored, 'Stored', clientMessageId)]).catch(
    (reason: unknown) => reason,
  );

  expect(isDuplicateKey(error)).toBe(true);
  expect(await database.messagesOf(other)).toEqual([]);
  expect(await database.messagesOf(stored)).toHaveLength(1);
});

onMysql('A batch on MySQL', () => {
  it('leaves out a conversation that is locked, without waiting', async () => {
    const [locked, free] = conversations as [Conversation, Conversation];
    const sends = [sendTo(locked, 'Left out'), sendTo(free, 'Stored')];
    const heads = new ConversationHeads(database.dataSource);

    const turns = await database.dataSource.transaction(async (manager) => {
      await heads.lock(manager, userId, locked.id);
      return insert(sends);
    });

    expect([...turns.keys()]).toEqual([sends[1]]);
  });

  it('finds the ids of its messages where they have gaps', async () => {
    const sends = conversations.map((conversation, n) => sendTo(conversation, `Message ${n}`));
    const turns = await insert(sends, async (manager) => {
      await manager.query('SET SESSION auto_increment_increment = 7, auto_increment_offset = 3');
    });
    // The connection returns to the pool of this test's data source only.
    for (const [n, conversation] of conversations.entries())
      await expectStored(conversation, sends[n]!, turns.get(sends[n]!));
  });
});
