/** Crashes and recovery of the built server (`npm run build`). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { onMysql } from '../support/infrastructure/database.js';
import { isCompleted, isRestarted, textOf } from '../support/clients/events.js';
import type { SeenEvent } from '../support/clients/event-log.js';
import type { Thing } from '../support/clients/http.js';
import { startTestNodes, type TestNode, type TestNodes } from '../support/app/process.js';
import { until } from '../support/infrastructure/until.js';
import { reasoning, type Script, stall } from '../support/provider/provider.js';
import type { SseReader } from '../support/clients/sse.js';
import type { TestUser } from '../support/app/user.js';

/** Time for machines under load. reply-write-buffer.spec.ts tests the interval of writes. */
const STORED_WITHIN_MS = 2000;
/** Time from the start or death of a node to the end of its recovered replies. */
const RESCUED_WITHIN_MS = 15_000;

let t: TestNodes;
/** The provider's successive replies to each question. */
let scripts: Map<string, Script[]>;

beforeAll(async () => {
  t = await startTestNodes();
  scripts = new Map();
  t.provider.onRequest = ({ messages }) => scripts.get(messages!.at(-1)!.content)?.shift();
});
afterAll(() => t.stop());

interface Begun {
  conversationId: number;
  replyId: number;
  sse: SseReader;
}

/** Sends a message and resolves when the client has received the first words of an endless reply. */
async function begin(user: TestUser, question: string, words: string, ...later: Script[]): Promise<Begun> {
  const { id } = await user.createConversation();
  scripts.set(question, [[reasoning('Hm. '), words, stall()], ...later]);
  const sse = await user.sse(`/conversations/${id}/chat`, { content: question });
  await sse.until(() => textOf(sse.events) === words);
  return { conversationId: id, replyId: (sse.events[1]!.message as Thing).id, sse };
}

/** Kills the node when the given texts of replies are stored. */
async function killOnceStored(node: TestNode, ...texts: [reply: Begun, text: string][]): Promise<void> {
  const sql = "SELECT text FROM reply_chunks WHERE part = 'content' AND message_id = ? ORDER BY seq";
  const stored = async (id: number) =>
    (await t.query<{ text: string }>(sql, [id])).map((chunk) => chunk.text).join('');
  for (const [{ replyId }, text] of texts)
    await until(async () => (await stored(replyId)) === text, STORED_WITHIN_MS);
  await node.kill();
}

/** Reconnects a client with its last event id. */
function reconnect(user: TestUser, { conversationId, sse }: Begun): Promise<SseReader> {
  const headers = { 'Last-Event-ID': sse.lastEventId! };
  return user.sse(`/conversations/${conversationId}/events`, undefined, headers);
}

const noChunksOf = ({ replyId }: Begun) =>
  until(async () => {
    const found = await t.query('SELECT 1 FROM reply_chunks WHERE message_id = ?', [replyId]);
    return found.length === 0;
  });

async function storedStatus({ replyId }: Begun): Promise<string> {
  const [row] = await t.query<{ status: string }>('SELECT status FROM messages WHERE id = ?', [replyId]);
  return row!.status;
}

describe('a node killed during replies', () => {
  let node: TestNode;
  let ada: TestUser;
  let alone: Begun;
  let followed: Begun;
  let upSince: number;
  let sse: SseReader;
  let opened: { messages: Thing[] };
  let completed: Promise<SeenEvent>;

  beforeAll(async () => {
    node = await t.start();
    ada = await node.user().withConfig(t.provider).create();
    alone = await begin(ada, 'What has no readers?', 'The text so far. 👋🏽');
    followed = await begin(ada, 'What is followed?', 'Followed so far, ');
    await killOnceStored(node, [alone, 'The text so far. 👋🏽'], [followed, 'Followed so far, ']);

    node = await t.start();
    upSince = Date.now();
    ada = node.welcome(ada);
    const socket = ada.socket();
    sse = await reconnect(ada, followed);
    opened = (
      await socket.emit<{ messages: Thing[] }>('conversation.open', {
        conversation_id: followed.conversationId,
      })
    ).data;
    completed = socket.until(
      (event) => isCompleted(event) && (event.message as Thing).id === followed.replyId,
      RESCUED_WITHIN_MS,
    );
  });
  afterAll(() => node.kill());

  it('returns stored text to a client that reconnects at once', () => {
    expect(opened.messages.at(-1)).toMatchObject({ status: 'streaming', content: 'Followed so far, ' });
    expect(textOf([...followed.sse.events, ...sse.events])).toBe('Followed so far, ');
  });

  it('has its replies interrupted within 15 s, and connected clients notified', async () => {
    const end = { content: 'Followed so far, ', reasoning: 'Hm. ', status: 'interrupted' };

    expect(await sse.until(isCompleted, RESCUED_WITHIN_MS)).toMatchObject({ message: end });
    expect(await completed).toMatchObject({ message: end });
    await until(async () => (await storedStatus(alone)) === 'interrupted', RESCUED_WITHIN_MS);
    expect(Date.now() - upSince).toBeLessThan(RESCUED_WITHIN_MS);
  });

  it('keeps the message and the text of a reply without readers', async () => {
    expect(await ada.history(alone.conversationId)).toMatchObject([
      { role: 'user', content: 'What has no readers?', status: 'complete' },
      {
        id: alone.replyId,
        content: 'The text so far. 👋🏽',
        reasoning: 'Hm. ',
        status: 'interrupted',
        error: null,
        finish_reason: null,
        completed_at: expect.any(String),
      },
    ]);
  });

  it('estimates the usage of an interrupted reply', async () => {
    const { usage } = (await ada.history(alone.conversationId))[1] as { usage?: Record<string, number> };

    expect(usage).toMatchObject({ estimated: true });
    expect(usage!.prompt_tokens).toBeGreaterThan(5);
    expect(usage!.completion_tokens).toBeGreaterThan(5);
    expect(usage!.total_tokens).toBe(usage!.prompt_tokens! + usage!.completion_tokens!);
  });

  it('leaves no chunks of its replies', () => Promise.all([alone, followed].map(noChunksOf)));

  it('accepts the next message after a restart', async () => {
    const { status, body } = await ada.send(alone.conversationId, 'Once more');

    expect([status, body.assistant_message.content]).toEqual([200, 'Hello from the model.']);
  });
});

describe('RETRY_INTERRUPTED', () => {
  const env = { RETRY_INTERRUPTED: 'true' };
  let node: TestNode;
  let ada: TestUser;
  let good: Begun;
  let poisonous: Begun;
  let orphaned: Begun;
  let sse: SseReader;

  beforeAll(async () => {
    node = await t.start(env);
    ada = await node.user().withConfig(t.provider).create();
    good = await begin(ada, 'What is good?', 'The first attempt', ['A second ', 'attempt.']);
    poisonous = await begin(ada, 'What kills?', 'One', ['Two', stall()], ['never asked for']);
    const bob = await node.user().withConfig(t.provider).create();
    orphaned = await begin(bob, 'Who answers?', 'Me', ['never asked for']);
    await bob.post(`/auth/config/${bob.configId}/delete`);
    await killOnceStored(node, [good, 'The first attempt'], [poisonous, 'One'], [orphaned, 'Me']);

    node = await t.start(env);
    ada = node.welcome(ada);
    sse = await reconnect(ada, good);
    await sse.until(isCompleted, RESCUED_WITHIN_MS);
  });
  afterAll(() => node.kill());

  it('restarts a reply, and notifies clients of the first attempt', () => {
    const from = sse.events.findIndex(isRestarted);

    expect(sse.events[from]).toMatchObject({
      conversation_id: good.conversationId,
      message: { id: good.replyId, content: '', reasoning: '', status: 'streaming' },
    });
    expect(textOf(sse.events.slice(from), 'The first attempt')).toBe('A second attempt.');
    expect(sse.events.at(-1)).toMatchObject({
      message: {
        content: 'A second attempt.',
        reasoning: '',
        status: 'complete',
        usage: { estimated: false },
      },
    });
  });

  it('notifies clients that reconnect later too', async () => {
    const late = await reconnect(ada, good);
    await late.until(isCompleted);

    const types = late.events.map(({ type }) => type).filter((type) => type.startsWith('message.'));
    expect(types).toEqual(['message.restarted', 'message.delta', 'message.completed']);
    expect(textOf(late.events, 'The first attempt')).toBe('A second attempt.');
  });

  it('stores the second attempt in place of the first', async () => {
    const [, reply] = await ada.history(good.conversationId);

    expect(reply).toMatchObject({ id: good.replyId, content: 'A second attempt.', reasoning: '' });
    await noChunksOf(good);
  });

  it('interrupts a reply whose configuration is gone', async () => {
    await until(async () => (await storedStatus(orphaned)) === 'interrupted', RESCUED_WITHIN_MS);
  });

  it('runs a reply at most twice', async () => {
    const back = await reconnect(ada, poisonous);
    await back.until(() => textOf(back.events, 'One') === 'Two');
    await killOnceStored(node, [poisonous, 'Two']);

    node = await t.start(env);
    ada = node.welcome(ada);
    const again = await reconnect(ada, { ...poisonous, sse: back });

    expect(await again.until(isCompleted, RESCUED_WITHIN_MS)).toMatchObject({
      message: { content: 'Two', reasoning: '', status: 'interrupted' },
    });
    await noChunksOf(poisonous);
  });
});

onMysql('two nodes on one database', () => {
  /** Heartbeats until a dead node is detected: one per second, with a lease of 8 s. */
  const LEASE_BEATS = 10;

  /** Waits until both nodes have stored `count` more heartbeats; rows of dead nodes are ignored. */
  async function beats(count: number): Promise<void> {
    const read = () => t.query<{ id: string; beat: number }>('SELECT id, beat FROM nodes');
    const before = new Map((await read()).map(({ id, beat }) => [id, Number(beat)]));
    const isAhead = ({ id, beat }: { id: string; beat: number }) =>
      Number(beat) - (before.get(id) ?? 0) >= count;
    await until(async () => (await read()).filter(isAhead).length === 2, 30_000);
  }

  it('take over replies only of a node that died', async () => {
    const [one, other] = await Promise.all([t.start(), t.start()]);
    const ada = await one.user().withConfig(t.provider).create();
    const ended = await begin(ada, 'What lasts?', 'On and ');
    await beats(LEASE_BEATS);
    expect(await storedStatus(ended)).toBe('streaming');

    const there = await reconnect(other.welcome(ada), ended);
    await one.kill();

    expect(await there.until(isCompleted, RESCUED_WITHIN_MS)).toMatchObject({
      message: { content: 'On and ', status: 'interrupted' },
    });
    await other.kill();
  }, 60_000);
});
