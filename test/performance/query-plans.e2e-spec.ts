/** Which indexes the lists and the search read. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationList } from '../../src/conversations/conversation-list.service.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { MessageSearch } from '../../src/conversations/search/message-search.js';
import { isMysql } from '../../src/database/data-source.js';
import { BLANK } from '../support/app/messages.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let eve: TestUser;

beforeAll(async () => {
  t = await startTestApp();
  eve = await t.user().create();
});
afterAll(() => t.stop());

describe('the query plan', () => {
  const SORTED_OR_SCANNED = /sort|temp b-tree|table scan|"SCAN|"type":"ALL"/i;
  let conversationId: number;
  let messageIds: number[];

  beforeAll(async () => {
    const mallory = await t.user().create();
    // Where nearly all rows are one user's, reading the whole of a small table is right.
    await fill(mallory, 1500, 700);
    ({ conversationId, messageIds } = await fill(eve, 300, 300));
    if (isMysql(t.app.get(DataSource))) await t.manager.query('ANALYZE TABLE conversations, messages');
  });

  it.each([
    [{ offset: 40 }, null],
    [{ offset: 40, archived: true }, null],
    [{ offset: 0 }, { pinned: true, updatedAt: Date.now(), id: 9, settledAt: Date.now(), listedIds: [1, 2] }],
    [{ offset: 0 }, { pinned: false, updatedAt: Date.now(), id: 9, settledAt: Date.now(), listedIds: null }],
  ])('of the conversation list uses one index without sorting: %j after %j', async (query, after) => {
    const statements = t.app.get(ConversationList).statements(eve.id, { limit: 20, ...query }, after);
    for (const statement of statements) {
      const plan = await explain(statement);
      expect(plan).toMatch(/ix_conversations_list/);
      expect(plan).not.toMatch(SORTED_OR_SCANNED);
      if (after?.pinned === false) expect(plan).toMatch(/updated_at<\?|updated_at <=|"range"/);
    }
  });

  it.each([false, true])(
    'of a message page uses one index without sorting; with before_id: %s',
    async (older) => {
      const service = t.app.get(MessagesService);
      const beforeId = older ? messageIds[150] : undefined;
      const plan = await explain(
        service.queryPage(conversationId, { limit: 50, beforeId }).getQueryAndParameters(),
      );

      expect(plan).toMatch(/ix_messages_branch/);
      expect(plan).not.toMatch(SORTED_OR_SCANNED);
    },
  );

  it('of siblings uses a covering index', async () => {
    const places = messageIds.slice(0, 50).map((parentId) => ({ conversationId, parentId }) as Message);
    const plan = await explain(t.app.get(MessagesService).queryChildren(places).getQueryAndParameters());

    expect(plan).toMatch(/ix_messages_siblings/);
    expect(plan).not.toMatch(SORTED_OR_SCANNED);
  });

  it('of a search uses one index without sorting', async () => {
    const stretch = { start: messageIds[50]!, end: messageIds[150]! };
    const search = t.app.get(MessageSearch).queryStretch(eve.id, 'x', stretch);
    const plan = await explain(search.limit(21).getQueryAndParameters());

    expect(plan).toMatch(/ix_messages_user_id/);
    expect(plan).not.toMatch(SORTED_OR_SCANNED);
  });

  async function fill(user: TestUser, conversations: number, messages: number) {
    const { id } = await user.createConversation();
    const like = await t.manager.findOneByOrFail(Conversation, { id });
    await insert(Conversation, conversations, { ...like, id: undefined });
    const place = { conversationId: id, userId: user.id, parentId: null };
    const blank = { ...BLANK, ...place, role: 'user', completedAt: null, createdAt: new Date() };
    const messageIds = await insert(Message, messages, blank);
    return { conversationId: id, messageIds };
  }

  async function insert(entity: EntityTarget<ObjectLiteral>, count: number, like: object): Promise<number[]> {
    const rows = Array.from({ length: count }, () => t.manager.create(entity, like));
    return (await t.manager.save(rows, { chunk: 100 })).map((row) => row.id as number);
  }

  async function explain([sql, parameters]: [string, unknown[]]): Promise<string> {
    const command = isMysql(t.app.get(DataSource)) ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
    return JSON.stringify(await t.manager.query(`${command} ${sql}`, parameters));
  }
});
