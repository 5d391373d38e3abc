/** Pages of the messages of a conversation. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import { writeMessages } from '../support/app/messages.js';
import { invalidFields } from '../support/clients/problems.js';
import { conversationCalls } from '../support/clients/conversations.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());
beforeEach(async () => {
  ada = await t.user().create();
});

const talk = (...contents: string[]) => contents.map((content) => ({ content }));
const { page } = conversationCalls(() => ada);

describe('a page of a conversation', () => {
  it('holds the newest messages, oldest first', async () => {
    const { id } = await ada.createConversation({ title: 'Long' });
    const ids = await writeMessages(
      t.manager,
      id,
      ...talk(...Array.from({ length: 55 }, (_, index) => `m${index}`)),
    );
    const newest = await page(id);

    expect(newest).toMatchObject({ id, title: 'Long', has_more: true });
    expect(newest.messages.map((message) => message.id)).toEqual(ids.slice(5));
    expect(newest.messages.at(-1)!.content).toBe('m54');
  });

  it('goes back by before_id, page by page, without a gap', async () => {
    const { id } = await ada.createConversation();
    const ids = await writeMessages(t.manager, id, ...talk('a', 'b', 'c', 'd', 'e'));

    const first = await page(id, '?limit=2');
    const second = await page(id, `?limit=2&before_id=${first.messages[0]!.id}`);
    const third = await page(id, `?limit=2&before_id=${second.messages[0]!.id}`);
    expect([third, second, first].flatMap(({ messages }) => messages.map((one) => one.id))).toEqual(ids);
    expect([first, second, third].map(({ has_more }) => has_more)).toEqual([true, true, false]);
    expect(await page(id, `?before_id=${ids[0]}`)).toMatchObject({ messages: [], has_more: false });
    expect((await page(id, '?limit=5')).has_more).toBe(false);
  });

  it('returns each message with the documented fields', async () => {
    const { id } = await ada.createConversation();
    const clientMessageId = '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7aa';
    const [first, second] = await writeMessages(
      t.manager,
      id,
      { content: 'Hi', clientMessageId },
      {
        content: '',
        reasoning: 'Hm',
        status: 'failed',
        finishReason: 'length',
        errorCode: 'upstream_timeout',
        errorDetail: 'It took too long.',
        modelName: 'test-model',
        promptTokens: 3,
        completionTokens: 4,
        totalTokens: 7,
        usageEstimated: true,
      },
    );
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

    expect((await page(id)).messages).toEqual([
      {
        id: first,
        conversation_id: id,
        parent_id: null,
        role: 'user',
        content: 'Hi',
        reasoning: '',
        status: 'complete',
        finish_reason: null,
        error: null,
        model_name: null,
        usage: null,
        files: [],
        sources: [],
        client_message_id: clientMessageId,
        sibling_ids: [first],
        created_at: time,
        completed_at: time,
      },
      {
        id: second,
        conversation_id: id,
        parent_id: first,
        role: 'assistant',
        content: '',
        reasoning: 'Hm',
        status: 'failed',
        finish_reason: 'length',
        error: { code: 'upstream_timeout', detail: 'It took too long.' },
        model_name: 'test-model',
        usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7, estimated: true },
        files: [],
        sources: [],
        client_message_id: null,
        sibling_ids: [second],
        created_at: time,
        completed_at: time,
      },
    ]);
  });

  it('shows only the active branch, with the siblings of each message', async () => {
    const { id } = await ada.createConversation();
    const other = await ada.createConversation();
    await writeMessages(t.manager, other.id, ...talk('elsewhere'));
    const [left] = await writeMessages(t.manager, id, { content: 'old question', active: false });
    const [root, dead] = await writeMessages(
      t.manager,
      id,
      { content: 'question' },
      { content: 'dull', active: false },
    );
    const [reply] = await writeMessages(t.manager, id, {
      content: 'answer',
      parentId: root,
      role: 'assistant',
    });
    const { messages } = await page(id);

    expect(messages.map(({ content }) => content)).toEqual(['question', 'answer']);
    expect(messages.map(({ sibling_ids }) => sibling_ids)).toEqual([
      [left, root],
      [dead, reply],
    ]);
  });

  it('holds the whole text of a reply that ended after its row was read', async () => {
    const { id } = await ada.createConversation();
    const [, replyId] = await writeMessages(
      t.manager,
      id,
      { content: 'Hi' },
      { content: 'Hello', reasoning: 'Hm' },
    );
    const ended = await t.manager.findOneByOrFail(Message, { id: replyId });
    const asRead = t.manager.create(Message, { ...ended, content: '', reasoning: '', status: 'streaming' });

    const [message] = await t.app.get(MessagesService).toDtos([asRead]);

    expect(message).toMatchObject({ status: 'complete', content: 'Hello', reasoning: 'Hm' });
  });

  it('holds the text so far of a reply that runs on another node', async () => {
    const { id } = await ada.createConversation();
    const streaming = { status: 'streaming', streamingIn: id, nodeId: 'another', completedAt: null } as const;
    const [, reply] = await writeMessages(t.manager, id, { content: 'Hi' }, streaming);
    const parts = [
      ['reasoning', 'Let me '],
      ['content', 'Hel'],
      ['reasoning', 'see'],
      ['content', 'lo 😀'],
    ] as const;
    for (const [index, [part, text]] of [...parts.entries()].reverse())
      await t.manager.insert(ReplyChunk, { messageId: reply, seq: index + 1, part, text });

    expect((await page(id)).messages[1]).toMatchObject({
      status: 'streaming',
      content: 'Hello 😀',
      reasoning: 'Let me see',
      completed_at: null,
    });
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=1&limit=1', 'limit'],
    ['before_id=0', 'before_id'],
    ['before_id=-1', 'before_id'],
    ['before_id=1.5', 'before_id'],
    ['before_id=9223372036854775808', 'before_id'],
    ['before_id=abc', 'before_id'],
    ['before_id=1&before_id=2', 'before_id'],
  ])('refuses ?%s', async (query, field) => {
    const { id } = await ada.createConversation();

    expect(invalidFields(await ada.get(`/conversations/${id}?${query}`))).toEqual([field]);
  });
});
