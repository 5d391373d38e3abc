/** The reply engine at moments that no client can cause; tests its services on a real database. */
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DataSource } from 'typeorm';
import { Heartbeat } from '../../src/chat/replies/recovery/heartbeat.js';
import { Node } from '../../src/chat/replies/recovery/node.entity.js';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { ReplyEngine } from '../../src/chat/replies/reply-engine.js';
import { ReplyRepository } from '../../src/chat/replies/reply-repository.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { ReplyChunk } from '../../src/conversations/messages/reply-chunk.entity.js';
import { isMysql } from '../../src/database/data-source.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { BLANK } from '../support/app/messages.js';
import { until } from '../support/infrastructure/until.js';
import { stall } from '../support/provider/provider.js';
import type { TestUser } from '../support/app/user.js';

let t: TestApp;
let ada: TestUser;
afterEach(() => void jest.restoreAllMocks());

/** A reply that another node runs, with its text so far. */
async function replyOf(nodeId: string, text: string): Promise<Message> {
  const { id: conversationId } = await ada.createConversation();
  const place = { ...BLANK, conversationId, userId: ada.id, createdAt: new Date() };
  const asked = await t.manager.save(Message, { ...place, role: 'user', content: 'Hi', parentId: null });
  const running = { status: 'streaming', streamingIn: conversationId, nodeId } as const;
  const row = { ...place, role: 'assistant', parentId: asked.id, ...running } as const;
  const reply = await t.manager.save(Message, row);
  await t.manager.insert(ReplyChunk, { messageId: reply.id, seq: 1, part: 'content', text });
  return t.manager.findOneByOrFail(Message, { id: reply.id });
}

const statusOf = async ({ id }: Message) => (await t.manager.findOneByOrFail(Message, { id })).status;

describe('a reply that starts after the shutdown’s grace period', () => {
  beforeAll(async () => {
    t = await startTestApp();
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());

  it('is interrupted at once', async () => {
    const { id } = await ada.createConversation();
    t.provider.willStream('never ends', stall());
    await t.app.get(ReplyEngine).drain(0);

    const { body } = await ada.send(id, 'Hi');

    expect(body.assistant_message).toMatchObject({ status: 'interrupted' });
  });
});

describe('a node that watches the heartbeats of others', () => {
  const LEASE_MS = 1000;
  const pace = { beatIntervalMs: 20, leaseMs: LEASE_MS } satisfies RecoveryPace;
  beforeAll(async () => {
    t = await startTestApp({ providers: [[RecoveryPace, pace]] });
    ada = await t.user().withConfig(t.provider).create();
  });
  afterAll(() => t.stop());

  /** Waits for two more scans: the first may have begun before. */
  async function scans(): Promise<void> {
    const listRunning = jest.spyOn(t.app.get(ReplyRepository), 'listRunning');
    await until(async () => listRunning.mock.results.length > 2);
    listRunning.mockRestore();
  }

  it('declares no node dead after its own event loop was blocked', async () => {
    await t.manager.save(Node, { id: 'suspended', beat: 1 });
    const reply = await replyOf('suspended', 'so far');
    await scans();

    const { now } = performance;
    const wokeAt = now.call(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 20_000);
    // A full lease without a beat, observed by this node, ends the reply.
    await until(async () => (await statusOf(reply)) === 'interrupted');

    expect(now.call(performance) - wokeAt).toBeGreaterThanOrEqual(LEASE_MS);
  });

  it('keeps the replies of a node whose heartbeat advances', async () => {
    const id = 'beating';
    await t.manager.save(Node, { id, beat: 1 });
    const reply = await replyOf(id, 'so far');
    const startedAt = performance.now();
    while (performance.now() - startedAt < 2 * LEASE_MS) {
      await t.manager.increment(Node, { id }, 'beat', 1);
      await scans();
    }

    expect(await statusOf(reply)).toBe('streaming');
    await until(async () => (await statusOf(reply)) === 'interrupted');
  });

  it('declares no node dead while its own heartbeats fail', async () => {
    await t.manager.save(Node, { id: 'silent', beat: 1 });
    const reply = await replyOf('silent', 'so far');
    const heartbeat = t.app.get(Heartbeat);
    await heartbeat.beat(); // The last one may be on the clock that the previous test moved.
    await t.manager.query(
      isMysql(t.app.get(DataSource))
        ? "CREATE TRIGGER no_beats BEFORE UPDATE ON nodes FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1290"
        : "CREATE TRIGGER no_beats BEFORE UPDATE ON nodes BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    );
    await until(async () => heartbeat.silentMs > 2 * LEASE_MS);
    const status = await statusOf(reply);
    await t.manager.query('DROP TRIGGER no_beats');

    expect(status).toBe('streaming');
    await until(async () => (await statusOf(reply)) === 'interrupted');
  });

  it('deletes only chunks that no running reply owns', async () => {
    await t.manager.save(Node, { id: 'alive', beat: 1 });
    const running = await replyOf('alive', 'kept');
    const ended = await replyOf('alive', 'left behind');
    await t.manager.update(Message, { id: ended.id }, { status: 'complete', streamingIn: null });
    pace.leaseMs = 60_000;
    const gone = { messageId: ended.id + 1000, seq: 1, part: 'content', text: 'of nobody' } as const;
    await t.manager.insert(ReplyChunk, gone);

    await t.restart(); // The sweep runs at the start, then once a minute.

    const owners = async () => (await t.manager.find(ReplyChunk)).map(({ messageId }) => messageId);
    await until(async () => (await owners()).length < 3);
    expect(await owners()).toEqual([running.id]);
  });
});
