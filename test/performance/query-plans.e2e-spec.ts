/** Which indexes the lists and the search read. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource, type EntityTarget, type ObjectLiteral } from 'typeorm';
import { AuditTrailService } from '../../src/admin/audit/audit-trail.service.js';
import { AdminUsersService } from '../../src/admin/users/admin-users.service.js';
import { UserStatisticsService } from '../../src/admin/users/user-statistics.service.js';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { Session } from '../../src/auth/sessions/session.entity.js';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationList } from '../../src/conversations/conversation-list.service.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../src/conversations/messages/messages.service.js';
import { MessageSearch } from '../../src/conversations/search/message-search.js';
import { isMysql } from '../../src/database/data-source.js';
import { DailyUsage, partitionOf } from '../../src/usage/daily-usage.entity.js';
import { addDays } from '../../src/usage/usage-dates.js';
import { UsageReports } from '../../src/usage/usage-reports.service.js';
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
    await fillForAdmins(mallory.id, eve.id);
    if (isMysql(t.app.get(DataSource)))
      await t.manager.query('ANALYZE TABLE conversations, messages, sessions, audit_events');
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

  it.each([
    [{ user_id: 7 }, ['ix_audit_events_user_id', 'ix_audit_events_target_user_id']],
    [{ user_id: 7, before_id: 900 }, ['ix_audit_events_user_id', 'ix_audit_events_target_user_id']],
    [{ action: 'totp.removed' }, ['ix_audit_events_action']],
    [{ action: 'totp.removed', before_id: 900 }, ['ix_audit_events_action']],
  ])('of the audit trail uses an index without sorting: %j', async (query, indexes) => {
    const queries = t.app.get(AuditTrailService).queries({ limit: 20, ...query });
    expect(queries).toHaveLength(indexes.length);
    for (const [n, each] of queries.entries()) {
      const plan = await explain(each.getQueryAndParameters());
      expect(plan).toMatch(new RegExp(`${indexes[n]}\\b`));
      expect(plan).not.toMatch(SORTED_OR_SCANNED);
    }
  });

  it.each([{}, { q: 'ada' }, { role: 'admin' as const, disabled: false }])(
    'of the list of users reads the newest first, without sorting: %j',
    async (query) => {
      const users = t.app.get(AdminUsersService).queryUsers({ limit: 20, offset: 0, ...query });

      expect(await explain(users.getQueryAndParameters())).not.toMatch(/sort|temp b-tree/i);
    },
  );

  it('of the statistics of a page of users reads their rows only', async () => {
    const statistics = t.app.get(UserStatisticsService);
    const ids = [eve.id, ...Array.from({ length: 20 }, (_, n) => 1000 + n)];
    const sessions = await explain(statistics.querySessions(ids).getQueryAndParameters());
    const messages = await explain(statistics.queryMessages(ids).getQueryAndParameters());

    expect(sessions).toMatch(/ix_sessions_user_id/);
    expect(messages).toMatch(/ix_conversations_\w+/);
    for (const plan of [sessions, messages]) expect(plan).not.toMatch(/table scan|"SCAN|"type":"ALL"/i);
  });

  /** Sessions and audit events of many users. */
  async function fillForAdmins(...userIds: number[]): Promise<void> {
    const now = new Date();
    const event = { at: now, sessionId: null, address: null, details: null };
    const actions = ['login.succeeded', 'login.failed', 'logout', 'totp.removed'];
    const events = Array.from({ length: 1000 }, (_, n) => {
      const users = { userId: n % 50, targetUserId: n % 47 };
      return { ...event, ...users, action: actions[n % 100 < 97 ? n % 3 : 3]! };
    });
    await t.manager.insert(AuditEvent, events);
    const like = await t.manager.findOneByOrFail(Session, { userId: userIds[0] });
    await insert(Session, 500, { ...like, id: undefined });
  }

  it.each([
    ['of a user by day', 7, 'day'],
    ['of all users by day', 'all', 'day'],
    ['of all users by model', 'all', 'model'],
    ['of some users by user', { first: 1, last: 20 }, 'user'],
    ['of some users by configuration', { first: 1, last: 20 }, 'config'],
  ] as const)('of 30 days of usage %s reads ranges of the primary key', async (_, whose, group) => {
    const counts = { modelName: 'm', replies: 1, promptTokens: 1, completionTokens: 1 };
    const users = Array.from({ length: 100 }, (_, n) => n + 1);
    for (let day = 0; day < 40; day++) {
      const like = { ...counts, date: addDays('2026-01-01', day), configId: 1 };
      const rows = [...users, ...users.slice(0, 16).map(partitionOf)].map((userId) => ({
        ...like,
        userId,
      }));
      await t.manager.upsert(DailyUsage, rows, ['date', 'userId', 'modelName', 'configId']);
    }
    if (isMysql(t.app.get(DataSource))) await t.manager.query('ANALYZE TABLE daily_usage');
    const range = { from: '2026-01-01', to: '2026-01-30', group } as const;
    const plan = await explain(t.app.get(UsageReports).statement(whose, range));

    expect(plan).toMatch(
      /"key":"PRIMARY"|range scan on daily_usage using PRIMARY|USING PRIMARY KEY \(date=\? AND user_id[=<>]\?/,
    );
    if (isMysql(t.app.get(DataSource))) expect(plan).toMatch(/"type":"range"|range scan/);
    expect(plan).not.toMatch(
      group === 'day' ? SORTED_OR_SCANNED : /scan on daily_usage(?! using)|"SCAN|"type":"ALL"/i,
    );
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
