import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { ActiveReply } from '../../src/chat/replies/active-reply.js';
import { Heartbeat } from '../../src/chat/replies/recovery/heartbeat.js';
import { Node } from '../../src/chat/replies/recovery/node.entity.js';
import { RecoveryPace } from '../../src/chat/replies/recovery/recovery-pace.js';
import { RecoveryScan, type Scanned } from '../../src/chat/replies/recovery/recovery-scan.js';
import type { ReplyEngine } from '../../src/chat/replies/reply-engine.js';
import type { ReplyRepository } from '../../src/chat/replies/reply-repository.js';
import type { Conversation } from '../../src/conversations/conversation.entity.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { createReplyRepository } from '../support/infrastructure/reply-repository.js';

const DEAD = 'dead';
const NO_REPLY: Scanned = { abandoned: [], lost: [] };

let database: ChatDatabase;
let repository: ReplyRepository;
let conversation: Conversation;
/** Milliseconds of the process's clock. */
let now: number;
let nodeId: string;
let running: ActiveReply[];
let heartbeat: Heartbeat;
let scan: RecoveryScan;

beforeAll(async () => {
  database = await ChatDatabase.create();
  repository = createReplyRepository(database.dataSource);
});
afterAll(() => database.drop());
beforeEach(async () => {
  conversation = await database.createConversation((await database.createUser()).id);
  now = 1_000_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  nodeId = randomUUID();
  running = [];
  const find = (id: number) => running.find(({ message }) => message.id === id);
  const engine = { nodeId, all: () => running, find } as unknown as ReplyEngine;
  const pace = new RecoveryPace();
  heartbeat = new Heartbeat(database.dataSource, engine, pace);
  scan = new RecoveryScan(database.dataSource, repository, engine, heartbeat, pace);
  await nodes().clear();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await database.dataSource.query('DELETE FROM messages WHERE streaming_in IS NOT NULL');
});

const nodes = () => database.dataSource.getRepository(Node);

async function scanOnce(): Promise<Scanned> {
  let scanned = NO_REPLY;
  await scan.run(async (found) => void (scanned = found));
  return scanned;
}

/** Beats and scans every second, for this many seconds. @returns the last scan */
async function pass(seconds: number, beat = () => heartbeat.beat()): Promise<Scanned> {
  let scanned = NO_REPLY;
  for (let second = 0; second < seconds; second++) {
    now += 1000;
    await beat();
    scanned = await scanOnce();
  }
  return scanned;
}

/** Stores a running reply of a node that has beaten once. */
async function addReplyOf(owner: string): Promise<number> {
  await nodes().save({ id: owner, beat: 7 });
  return (await database.addRunningReply(conversation, owner)).id;
}

describe('A scan for abandoned replies', () => {
  it('finds those of a node whose counter has not changed for eight seconds', async () => {
    const id = await addReplyOf(DEAD);

    expect(await pass(9)).toEqual(NO_REPLY);
    expect(await pass(1)).toEqual({ abandoned: [id], lost: [] });
  });

  it('finds none of a node whose counter changes', async () => {
    await addReplyOf(DEAD);
    const beatOfBoth = async () => {
      await heartbeat.beat();
      await nodes().increment({ id: DEAD }, 'beat', 1);
    };

    expect(await pass(20, beatOfBoth)).toEqual(NO_REPLY);
  });

  it('finds those of a node without a row', async () => {
    const id = await addReplyOf(DEAD);
    await nodes().delete({ id: DEAD });

    expect((await pass(10)).abandoned).toEqual([id]);
  });

  it('finds those of this node that do not run in it', async () => {
    const id = await addReplyOf(nodeId);

    expect((await pass(9)).abandoned).toEqual([]);
    expect((await pass(1)).abandoned).toEqual([id]);
  });

  it('measures from the end of a run in this node', async () => {
    const id = await addReplyOf(nodeId);
    await pass(5);
    const message = (await repository.findMessage(id))!;
    running = [new ActiveReply(message, conversation.userId, 1)];
    expect(await pass(20)).toEqual(NO_REPLY);
    running = [];

    expect((await pass(9)).abandoned).toEqual([]);
    expect((await pass(1)).abandoned).toEqual([id]);
  });

  it.each([
    [3000, true],
    [3001, false],
  ])('after a pause of %i ms uses its earlier observations: %s', async (pauseMs, isUsed) => {
    const id = await addReplyOf(DEAD);
    await pass(8);
    now += pauseMs - 1;
    await heartbeat.beat();
    now += 1;

    expect((await scanOnce()).abandoned).toEqual(isUsed ? [id] : []);
  });

  it.each([
    [3000, true],
    [3001, false],
  ])('%i ms after its own heartbeat uses its observations: %s', async (silentMs, isUsed) => {
    const id = await addReplyOf(DEAD);
    await pass(8);
    for (let ms = 0; ms < silentMs; ms += 1000) {
      now += Math.min(1000, silentMs - ms);
      await scanOnce();
    }

    expect((await scanOnce()).abandoned).toEqual(isUsed ? [id] : []);
  });

  it.each([
    ['nodes', () => [nodes(), 'find'] as const],
    ['replies', () => [repository, 'listRunning'] as const],
  ])('after a pause while it reads the %s does not use its earlier observations', async (_, reading) => {
    await addReplyOf(DEAD);
    await pass(8);
    const [source, method] = reading() as unknown as [{ read(): Promise<unknown> }, 'read'];
    const read = source[method].bind(source);
    jest.spyOn(source, method).mockImplementationOnce(async () => {
      const rows = await read();
      now += 20_000;
      return rows;
    });

    expect(await scanOnce()).toEqual(NO_REPLY);
    expect(await pass(8)).toEqual(NO_REPLY);
  });

  it('does not count the duration of the recovery as a pause', async () => {
    const id = await addReplyOf(DEAD);
    await pass(8);
    now += 500;
    await scan.run(async () => {
      now += 10_000;
      await heartbeat.beat();
    });

    expect((await pass(1)).abandoned).toEqual([id]);
  });

  it.each<[what: string, fail: () => Promise<unknown>]>([
    ['of its own', () => scan.run(() => Promise.reject(new Error('No.')))],
    ['of the heartbeat', async () => heartbeat.onFailure()],
  ])('discards its observations after a failure %s', async (_, fail) => {
    const id = await addReplyOf(DEAD);
    await pass(9);
    await fail().catch(() => undefined);

    expect((await pass(9)).abandoned).toEqual([]);
    expect((await pass(1)).abandoned).toEqual([id]);
  });

  it('reports its failure', async () => {
    await expect(scan.run(() => Promise.reject(new Error('No.')))).rejects.toThrow('No.');
  });
});

it('A scan finds running replies that are stored as another node’s, or not at all', async () => {
  const [own, other] = [await addReplyOf(nodeId), await database.createConversation(conversation.userId)];
  const { id: claimed } = await database.addRunningReply(other, 'another');
  const messages = await Promise.all([own, claimed].map((id) => repository.findMessage(id)));
  running = messages.map((message) => new ActiveReply(message!, conversation.userId, 1));
  await heartbeat.beat();

  expect((await scanOnce()).lost).toEqual([running[1]]);
});

it('A silent node’s row is deleted after a minute', async () => {
  await nodes().save({ id: DEAD, beat: 7 });
  const ids = async () => (await nodes().find()).map(({ id }) => id).sort();

  await pass(61);
  expect(await ids()).toEqual([nodeId, DEAD].sort());
  await pass(1);

  expect(await ids()).toEqual([nodeId]);
});

it('A silent node’s row is kept for a minute after a failure', async () => {
  await nodes().save({ id: DEAD, beat: 7 });
  await pass(50);
  heartbeat.onFailure();
  await pass(61);

  expect(await nodes().findOneBy({ id: DEAD })).not.toBeNull();
});

it('A scan forgets replies that have ended and nodes without a row', async () => {
  const { nodes: counters, replies } = scan as unknown as Record<
    string,
    { observations: Map<unknown, unknown> }
  >;
  const id = await addReplyOf(DEAD);
  await pass(1);
  expect([...replies!.observations.keys()]).toEqual([id]);
  await nodes().delete({ id: DEAD });
  await database.dataSource.query('UPDATE messages SET streaming_in = NULL WHERE id = ?', [id]);
  await pass(1);

  expect(replies!.observations.size).toBe(0);
  expect([...counters!.observations.keys()]).toEqual([nodeId]);
});

describe('A heartbeat', () => {
  it('inserts its node’s row, and then increments its counter', async () => {
    const beats: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      await heartbeat.beat();
      beats.push(await nodes().find());
    }

    expect(beats).toEqual([0, 1, 2].map((beat) => [{ id: nodeId, beat }]));
  });

  it('shares a write with others at the same time', async () => {
    await heartbeat.beat();
    await Promise.all([heartbeat.beat(), heartbeat.beat(), heartbeat.beat()]);

    expect(await nodes().find()).toEqual([{ id: nodeId, beat: 1 }]);
  });

  it('knows the time since it was stored', async () => {
    expect(heartbeat.silentMs).toBe(Infinity);
    await heartbeat.beat();
    now += 700;

    expect(heartbeat.silentMs).toBe(700);
  });
});
