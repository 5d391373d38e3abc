import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DataSource, type EntityManager, type Logger } from 'typeorm';
import { Branches } from '../../src/chat/turns/branches.js';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { isMysql } from '../../src/database/data-source.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Thing } from '../support/clients/http.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
let manager: EntityManager;

beforeAll(async () => {
  t = await startTestApp();
  ada = await t.user().withConfig(t.provider).create();
  ({ manager } = t.app.get(DataSource));
});
afterAll(() => t.stop());

/** Tree of messages: the index of each message's parent, or -1 for a first message. */
type Tree = number[];

/** Stores a tree and activates the branch that ends at a message. @returns the messages' ids */
async function plant(conversationId: number, tree: Tree, end: number): Promise<number[]> {
  const { max } = (await manager.createQueryBuilder(Message, 'm').select('MAX(m.id)', 'max').getRawOne())!;
  const ids = tree.map((_, n) => Number(max ?? 0) + 1 + n);
  const active = pathTo(tree, end);
  const { userId } = await manager.findOneByOrFail(Conversation, { id: conversationId });
  const rows = tree.map((parent, n) => ({
    ...BLANK,
    ...{ id: ids[n], conversationId, userId, parentId: ids[parent] ?? null, active: active.has(n) },
    ...{ role: depthOf(tree, n) % 2 ? ('assistant' as const) : ('user' as const), content: `Message ${n}` },
  }));
  for (let start = 0; start < rows.length; start += 500) {
    await manager.insert(Message, rows.slice(start, start + 500));
  }
  const changes = { activeMessageId: ids[end] ?? null, messageCount: tree.length };
  await manager.update(Conversation, { id: conversationId }, changes);
  return ids;
}

const BLANK = {
  ...{
    reasoning: '',
    status: 'complete' as const,
    attempt: 1,
    createdAt: new Date(),
    completedAt: new Date(),
  },
};

function pathTo(tree: Tree, end: number): Set<number> {
  const path = new Set<number>();
  for (let n = end; n >= 0; n = tree[n]!) path.add(n);
  return path;
}

const depthOf = (tree: Tree, n: number) => pathTo(tree, n).size - 1;

function newestBelow(tree: Tree, from: number): number {
  const below = new Set([from]);
  tree.forEach((parent, n) => below.has(parent) && below.add(n));
  return Math.max(...below);
}

async function activeOf(conversationId: number): Promise<number[]> {
  const rows = await manager.find(Message, {
    select: { id: true },
    where: { conversationId, active: true },
    order: { id: 'ASC' },
  });
  return rows.map(({ id }) => id);
}

describe('branches', () => {
  const tree = fc
    .array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 24 })
    .map((picks): Tree => picks.map((pick, n) => Math.floor(pick * (n + 1)) - 1));
  const place = fc.nat(1000);

  it('are followed to their newest message, for any step size', async () => {
    const { id } = await ada.createConversation({ title: 'Trees' });
    const property = fc.asyncProperty(
      tree,
      place,
      fc.array(fc.option(place, { freq: 8 }), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 6 }),
      async (tree, end, targets, step) => {
        await manager.delete(Message, { conversationId: id });
        const ids = await plant(id, tree, end % tree.length);
        const branches = new Branches(manager, id, step);
        for (const target of targets) {
          const n = target === null ? -1 : target % tree.length;
          await branches.endAt(ids[n] ?? null);
          expect(await activeOf(id)).toEqual(ids.filter((_, m) => pathTo(tree, n).has(m)));
          if (n >= 0) expect(await branches.newestBelow(ids[n]!)).toBe(ids[newestBelow(tree, n)]);
        }
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});

describe('a conversation of 5,000 messages in three branches', () => {
  const SIZE = 5000;
  /** Plans that scan a whole table or index, or sort. */
  const COSTLY = /filesort|temp b-tree|"SCAN|"type":"(ALL|index)"/i;
  let tree: Tree;
  let tips: number[];
  let ids: number[];
  let id: number;

  beforeAll(async () => {
    ({ id } = await ada.createConversation({ title: 'Long' }));
    ({ tree, tips } = grow());
    ids = await plant(id, tree, tips[0]!);
    // A second conversation, because an optimizer rightly scans a table that holds only one.
    const { id: other } = await ada.createConversation({ title: 'Other' });
    await plant(other, tree, tips[0]!);
    if (isMysql(t.app.get(DataSource))) await manager.query('ANALYZE TABLE messages');
  }, 60_000);

  /** Conversation branched twice, whose branches then grow alternately. */
  function grow(): { tree: Tree; tips: number[] } {
    const tree: Tree = [-1];
    const extend = (parent: number) => tree.push(parent) - 1;
    while (tree.length < 1001) extend(tree.length - 1);
    const tips = [1000, 500, 3];
    while (tree.length < SIZE) {
      const n = (tree.length * 7919) % tips.length;
      tips[n] = extend(tips[n]!);
    }
    return { tree, tips };
  }

  it('switches branches correctly and quickly', async () => {
    for (const n of [1, 2, 0, 2]) {
      const path = [...pathTo(tree, tips[n]!)].map((m) => ids[m]!).reverse();
      const before = performance.now();
      const { status, body } = await ada.post<Thing & { messages: Thing[] }>(
        `/conversations/${id}/messages/${path.at(-20)}/activate`,
      );
      const tookMs = performance.now() - before;

      expect([status, body.active_message_id]).toEqual([200, path.at(-1)]);
      expect(await activeOf(id)).toEqual(path);
      expect(body.messages.map((message) => message.id)).toEqual(path.slice(-50));
      expect(tookMs).toBeLessThan(2000);
    }
  });

  it('restores the latest branch when its first message is activated', async () => {
    const { body } = await ada.post<Thing>(`/conversations/${id}/messages/${ids[0]}/activate`);

    expect(body).toMatchObject({ active_message_id: ids.at(-1), message_count: SIZE });
  });

  it('reads and changes branches by an index, without sorting', async () => {
    const statements = await statementsOf(async () => {
      for (const n of [0, 1]) {
        await ada.post(`/conversations/${id}/messages/${ids[tips[n]!]}/activate`);
        await ada.get(`/conversations/${id}?before_id=${ids[2000]}`);
      }
      await ada.post<ChatAnswer>(`/conversations/${id}/messages/${ids[tips[2]!]}/regenerate`, {});
    });

    expect(statements.length).toBeGreaterThan(10);
    for (const { sql, parameters } of statements) {
      const plan = await explain(sql, parameters);
      if (COSTLY.test(plan)) throw new Error(`${sql}\nis costly: ${plan}`);
    }
  });

  interface Statement {
    sql: string;
    parameters: unknown[];
  }

  /** Records the statements on messages that `work` runs. */
  async function statementsOf(work: () => Promise<void>): Promise<Statement[]> {
    const source = t.app.get(DataSource);
    const { logger } = source;
    const statements: Statement[] = [];
    const logQuery = (sql: string, parameters: unknown[] = []) => {
      if (/^(SELECT|UPDATE).*[`"]messages[`"]/.test(sql)) statements.push({ sql, parameters });
    };
    source.logger = { logQuery, logQueryError() {}, logQuerySlow() {}, log() {} } as unknown as Logger;
    await work().finally(() => (source.logger = logger));
    return statements;
  }

  async function explain(sql: string, parameters: unknown[]): Promise<string> {
    const command = isMysql(t.app.get(DataSource)) ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
    const rows = await manager.query(`${command} ${sql}`, parameters);
    return JSON.stringify(rows);
  }
});
