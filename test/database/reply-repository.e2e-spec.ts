import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { FinalReply } from '../../src/chat/replies/reply-end-records.js';
import type { ReplyRepository, UnsavedChunk } from '../../src/chat/replies/reply-repository.js';
import { MAX_LENGTH } from '../../src/chat/replies/store-in-pieces.js';
import type { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import {
  chunksBefore,
  ReplyChunk,
  type ReplyPart,
} from '../../src/conversations/messages/reply-chunk.entity.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { createReplyRepository } from '../support/infrastructure/reply-repository.js';

let database: ChatDatabase;
let userId: number;
let repository: ReplyRepository;
let conversation: Conversation;
let reply: Message;

beforeAll(async () => {
  database = await ChatDatabase.create();
  ({ id: userId } = await database.createUser());
  repository = createReplyRepository(database.dataSource);
});
afterAll(() => database.drop());
beforeEach(async () => {
  conversation = await database.createConversation(userId);
  reply = await database.addRunningReply(conversation, 'node');
});

const chunk = (seq: number, text: string, part: ReplyPart = 'content'): UnsavedChunk => ({
  messageId: reply.id,
  seq,
  part,
  text,
});

const finalWith = (texts: Partial<FinalReply>): FinalReply => ({
  status: 'complete',
  content: '',
  reasoning: '',
  finishReason: 'stop',
  errorCode: null,
  errorDetail: null,
  promptTokens: 1,
  completionTokens: 2,
  totalTokens: 3,
  usageEstimated: false,
  sources: [{ url: 'https://example.com/', title: null }],
  completedAt: new Date(1_700_000_000_123),
  ...texts,
});

const stored = () => database.dataSource.manager.findOneByOrFail(Message, { id: reply.id });

describe('Chunks', () => {
  it('are joined by part, in the order of their numbers', async () => {
    await repository.append([chunk(3, '!'), chunk(1, 'Hm. ', 'reasoning')]);
    await repository.append([chunk(2, 'Yes')]);

    expect(await repository.textOf(reply.id, 1)).toEqual({ content: 'Yes!', reasoning: 'Hm. ' });
  });

  it('are stored once when a write is repeated', async () => {
    await repository.append([chunk(1, 'One')]);
    await repository.append([chunk(1, 'One'), chunk(2, 'two')]);

    expect((await repository.textOf(reply.id, 1)).content).toBe('Onetwo');
  });

  it('of another attempt or reply are not read', async () => {
    const other = await database.addRunningReply(await database.createConversation(userId), 'node');
    await repository.append([
      chunk(chunksBefore(2), 'last of the first'),
      chunk(chunksBefore(2) + 1, 'second'),
      chunk(chunksBefore(3) + 1, 'third'),
      { ...chunk(chunksBefore(2) + 2, 'other'), messageId: other.id },
    ]);

    expect((await repository.textOf(reply.id, 2)).content).toBe('second');
  });

  it('are stored in any number and length', async () => {
    const many = Array.from({ length: 2500 }, (_, n) => chunk(n + 1, `${n},`));
    const long = [chunk(2501, 'x'.repeat(MAX_LENGTH)), chunk(2502, 'y'.repeat(MAX_LENGTH)), chunk(2503, 'z')];
    await repository.append([...many, ...long]);

    const expected = [...many, ...long].map(({ text }) => text).join('');
    expect((await repository.textOf(reply.id, 1)).content === expected).toBe(true);
  });

  it('without a running reply are deleted, and no others', async () => {
    await repository.append([chunk(1, 'kept')]);
    const ended = await database.addMessage(conversation, { role: 'assistant', parentId: reply.parentId });
    await repository.append([
      { ...chunk(1, 'of an ended reply'), messageId: ended.id },
      { ...chunk(1, 'of a deleted reply'), messageId: ended.id + 1000 },
    ]);

    await repository.deleteOrphanedChunks();

    const owners = (await database.dataSource.manager.find(ReplyChunk)).map(({ messageId }) => messageId);
    expect(owners).toContain(reply.id);
    expect(owners).not.toContain(ended.id);
    expect(owners).not.toContain(ended.id + 1000);
  });
});

describe('A reply', () => {
  it('ends once, with all columns', async () => {
    const final = finalWith({ content: 'Yes', reasoning: 'Hm.' });
    const ends = await Promise.all([1, 2, 3].map(() => repository.end(reply, 'node', final)));

    expect(ends.filter(Boolean)).toHaveLength(1);
    expect(await stored()).toMatchObject({ ...final, streamingIn: null, nodeId: null });
    expect(await repository.end(reply, 'node', finalWith({ content: 'Late' }))).toBe(false);
    expect((await stored()).content).toBe('Yes');
  });

  it('is not ended by a node that does not own it', async () => {
    expect(await repository.end(reply, 'other', finalWith({ content: 'x' }))).toBe(false);
    const long = finalWith({ content: 'x'.repeat(MAX_LENGTH + 1) });
    expect(await repository.end(reply, 'other', long)).toBe(false);
    expect(await stored()).toMatchObject({ status: 'streaming', nodeId: 'node', content: '' });
  });

  it('keeps text longer than a statement, and surrogate pairs at its cuts', async () => {
    const content = `x${'👋'.repeat(MAX_LENGTH)}`;
    const reasoning = `${'👋'.repeat(MAX_LENGTH / 2)}y`;

    expect(await repository.end(reply, 'node', finalWith({ content, reasoning }))).toBe(true);

    const message = await stored();
    expect([message.content === content, message.reasoning === reasoning]).toEqual([true, true]);
    expect(message).toMatchObject({ status: 'complete', streamingIn: null });
  });

  it('starts another attempt with its content as reasoning', async () => {
    await repository.append([chunk(1, 'thought')]);
    await repository.restart(reply.id, 'node', 2, 'thought');

    expect((await stored()).attempt).toBe(2);
    expect(await repository.textOf(reply.id, 2)).toEqual({ content: '', reasoning: 'thought' });
  });

  it('is claimed by one node, and then ended by no other', async () => {
    const claims = await Promise.all(['a', 'b', 'c'].map((node) => repository.claim(reply, node, 3)));

    expect(claims.filter(Boolean)).toHaveLength(1);
    const { nodeId, attempt } = await stored();
    expect([nodeId, attempt]).toEqual(['abc'[claims.indexOf(true)], 3]);
    expect(await repository.end(reply, 'node', finalWith({}))).toBe(false);
    expect(await repository.end(reply, nodeId!, finalWith({}))).toBe(true);
  });

  it('is not claimed after its attempt or its owner has changed', async () => {
    await repository.restart(reply.id, 'node', 2, 'thought');
    expect(await repository.claim(reply, 'other', 3)).toBe(false);

    const other = await database.addRunningReply(await database.createConversation(userId), 'node');
    await database.dataSource.manager.update(Message, { id: other.id }, { nodeId: 'new owner' });
    expect(await repository.claim(other, 'other', 3)).toBe(false);
  });

  it('is found with its user message and conversation while it runs', async () => {
    const found = await repository.findRunning({ conversationId: conversation.id });
    expect(found).toMatchObject({
      reply: { id: reply.id },
      userMessage: { id: reply.parentId, content: 'Hi' },
      conversation: { id: conversation.id, userId },
    });
    expect((await repository.findRunning({ id: reply.id }))?.reply.id).toBe(reply.id);
    expect(await repository.listRunning()).toContainEqual(
      expect.objectContaining({ id: reply.id, nodeId: 'node' }),
    );

    await repository.end(reply, 'node', finalWith({}));
    expect(await repository.findRunning({ id: reply.id })).toBeNull();
    expect((await repository.listRunning()).map(({ id }) => id)).not.toContain(reply.id);
  });

  it('that no process runs ends with its stored text and an estimate', async () => {
    await repository.append([chunk(1, 'Hm.', 'reasoning'), chunk(2, 'Yes')]);
    const running = (await repository.findRunning({ id: reply.id }))!;
    const usage = { promptTokens: 5, completionTokens: 6, totalTokens: 11, estimated: true };
    const texts: string[] = [];
    const estimate = async (text: string) => {
      texts.push(text);
      return usage;
    };

    const message = await repository.endAbandoned(running, 'interrupted', estimate);

    expect(texts).toEqual(['Hm.Yes']);
    expect(message).toMatchObject({ id: reply.id, status: 'interrupted', content: 'Yes', reasoning: 'Hm.' });
    expect(message).toMatchObject({ usage: { total_tokens: 11, estimated: true } });
    expect(await stored()).toMatchObject({ status: 'interrupted', content: 'Yes', streamingIn: null });
    expect(await repository.endAbandoned(running, 'stopped', estimate)).toBeNull();
    expect(await repository.findMessage(reply.id)).toMatchObject({ status: 'interrupted', content: 'Yes' });
  });
});
