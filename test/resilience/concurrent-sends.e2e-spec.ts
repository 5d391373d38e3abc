/** Concurrent users, whose sends share transactions. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { TurnsService } from '../../src/chat/turns/turns.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { onMysql } from '../support/infrastructure/database.js';
import type { Answer, Thing } from '../support/clients/http.js';
import { gate } from '../support/provider/provider.js';
import { StatementLog } from '../support/app/statements.js';
import type { ChatAnswer, TestUser } from '../support/app/user.js';

const USERS = 8;

let t: TestApp;
let users: TestUser[];
let conversations: Thing[];

beforeAll(async () => {
  t = await startTestApp();
  users = await Promise.all(Array.from({ length: USERS }, () => t.user().withConfig(t.provider).create()));
});
afterAll(() => t.stop());
beforeEach(async () => {
  conversations = await Promise.all(users.map((user) => user.createConversation({ title: 'Together' })));
});

const idOf = (n: number): number => conversations[n]!.id;

/** Sends a message of each user, each to its own conversation. */
function sendAll(content = (n: number) => `Of ${n}`, extra: object = {}): Promise<Answer<ChatAnswer>[]> {
  return Promise.all(users.map((user, n) => user.send(idOf(n), content(n), extra)));
}

it('each user gets their own conversation and no other', async () => {
  const answers = await Promise.all(
    users.flatMap((user, reader) =>
      conversations.map(async ({ id }, owner) => ({
        owner,
        reader,
        answer: await user.get(`/conversations/${id}`),
      })),
    ),
  );

  for (const { owner, reader, answer } of answers) {
    if (owner === reader) expect(answer).toMatchObject({ status: 200, body: { id: idOf(owner) } });
    else expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
  }
});

it('each send makes a message and a reply in its own conversation', async () => {
  await sendAll();
  const answers = await sendAll((n) => `Again, of ${n}`);

  for (const [n, { status, body }] of answers.entries()) {
    const stored = await users[n]!.history(idOf(n));
    expect([status, [body.user_message, body.assistant_message]]).toEqual([200, stored.slice(2)]);
    expect(stored.map(({ content }) => content).filter((_, index) => index % 2 === 0)).toEqual([
      `Of ${n}`,
      `Again, of ${n}`,
    ]);
    expect(stored.slice(1).map(({ parent_id }) => parent_id)).toEqual(
      stored.slice(0, -1).map(({ id }) => id),
    );
    const page = await users[n]!.get(`/conversations/${idOf(n)}`);
    expect(page.body).toMatchObject({ message_count: 4, title: 'Together' });
  }
});

it('a first message titles its own conversation', async () => {
  conversations = await Promise.all(users.map((user) => user.createConversation()));
  t.provider.onRequest = ({ messages }) =>
    messages![0]!.content.includes('Write a title') ? ['\n'] : ['Hi']; // an empty title
  await sendAll((n) => `Title ${n}`);

  for (const [n, user] of users.entries()) {
    expect((await user.get(`/conversations/${idOf(n)}`)).body.title).toBe(`Title ${n}`);
  }
});

it('a refused send does not affect the others', async () => {
  const held = gate();
  t.provider.onRequest = ({ messages }) => (messages!.at(-1)!.content === 'Held' ? ['so far', held] : ['Hi']);
  const running = users[0]!.send(idOf(0), 'Held');
  while ((await users[0]!.history(idOf(0))).length === 0);

  const [refused, ...answers] = await sendAll();
  held.open();
  await running;

  expect(refused).toMatchObject({ status: 409, body: { code: 'reply_in_progress' } });
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
});

it('one of two sends to one conversation is answered', async () => {
  const both = await Promise.all([sendAll(), sendAll((n) => `Other, of ${n}`)]);

  for (const n of users.keys()) {
    const codes = both.map((answers) => answers[n]!.body.code ?? 'answered');
    const stored = await users[n]!.history(idOf(n));
    // Both are answered if the first reply has already ended.
    expect(codes.filter((code) => code !== 'answered' && code !== 'reply_in_progress')).toEqual([]);
    expect(stored).toHaveLength(2 * codes.filter((code) => code === 'answered').length);
  }
});

/** Runs a statement on each connection of the app's pool. */
async function everyConnection(statement: string): Promise<void> {
  const dataSource = t.app.get(DataSource);
  const runners = Array.from({ length: 10 }, () => dataSource.createQueryRunner());
  await Promise.all(runners.map((runner) => runner.connect()));
  await Promise.all(runners.map((runner) => runner.query(statement)));
  await Promise.all(runners.map((runner) => runner.release()));
}

it('a repeat detected only by the unique key does not affect the others', async () => {
  const clientMessageId = randomUUID();
  const { body: before } = await users[0]!.send(idOf(0), 'Of 0', { client_message_id: clientMessageId });
  const turns = t.app.get(TurnsService);

  const begun = await Promise.all(
    users.map(({ id: userId, configId }, n) =>
      turns.start({
        userId,
        conversationId: idOf(n),
        request: { kind: 'send', content: `Of ${n}`, clientMessageId },
        origin: { nodeId: randomUUID(), configId: configId!, modelName: 'none' },
      }),
    ),
  );

  expect(begun.map(({ conversation }) => conversation !== null)).toEqual(users.map((_, n) => n > 0));
  expect(begun[0]!.userMessage).toMatchObject(before.user_message);
});

onMysql('with a slow connection to the database server', () => {
  it('sends share transactions', async () => {
    const statements = new StatementLog(t);

    await sendAll();

    const inserts = statements.take().filter((statement) => statement === 'INSERT messages');
    expect(inserts.length).toBeLessThan(USERS);
  });

  it('a locked conversation does not delay others', async () => {
    const runner = t.app.get(DataSource).createQueryRunner();
    await runner.startTransaction();
    await runner.query('SELECT id FROM conversations WHERE id = ? FOR UPDATE', [idOf(0)]);

    const [locked, ...free] = users.map((user, n) => user.send(idOf(n), `Of ${n}`));
    const first = await Promise.race([locked, Promise.all(free)]);
    await runner.commitTransaction();
    await runner.release();

    expect(first).toMatchObject(free.map(() => ({ status: 200 })));
    expect((await locked!).status).toBe(200);
  });

  it('ids may have gaps, as in a cluster', async () => {
    await everyConnection('SET SESSION auto_increment_increment = 7, auto_increment_offset = 3');
    const answers = await sendAll();
    await everyConnection('SET SESSION auto_increment_increment = 1, auto_increment_offset = 1');

    for (const [n, { body }] of answers.entries()) {
      expect([body.user_message, body.assistant_message]).toEqual(await users[n]!.history(idOf(n)));
      expect(body.user_message.id % 7).toBe(3);
    }
  });
});

// Last, because Passport authenticates only for the last app started in a process.
describe('sends stored by two nodes concurrently', () => {
  let other: TestApp;
  beforeAll(async () => {
    other = await t.startNode();
  });
  afterAll(() => other.stop());

  it('are stored once', async () => {
    const client_message_id = randomUUID();
    const there = users.map((user) => user.on(other));
    const answers = await Promise.all([
      sendAll(undefined, { client_message_id }),
      Promise.all(there.map((user, n) => user.send(idOf(n), `Of ${n}`, { client_message_id }))),
    ]);

    for (const [n, user] of users.entries()) {
      const stored = await user.history(idOf(n));
      expect(stored).toHaveLength(2);
      for (const each of answers) expect(each[n]!.body.user_message).toEqual(stored[0]);
    }
  });
});
