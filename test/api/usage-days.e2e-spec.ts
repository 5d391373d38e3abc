/** Usage per day, user, model and configuration. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { User } from '../../src/auth/users/user.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { DailyUsage } from '../../src/usage/daily-usage.entity.js';
import { addDays, dateOf } from '../../src/usage/usage-dates.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { until } from '../support/infrastructure/until.js';
import { finish, gate, usage } from '../support/provider/provider.js';

let t: TestApp;
const used = (prompt: number, completion: number) =>
  usage({ prompt_tokens: prompt, completion_tokens: completion });
const today = () => dateOf(new Date());

beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t.stop());

const user = () => t.user().withConfig(t.provider).create();
const usageOf = async (of: TestUser, query = '') =>
  (await of.get<{ rows: Thing[] }>(`/auth/me/usage${query}`)).body.rows;

/** Chats in a conversation that has a title; the provider reports these tokens. */
async function chat(of: TestUser, tokens: [number, number], id?: number): Promise<number> {
  id ??= (await of.createConversation({ title: 'Counted' })).id as number;
  t.provider.willStream('Hello', finish('stop'), used(...tokens));
  await of.send(id, 'Hi');
  return id;
}

describe('GET /auth/me/usage', () => {
  it('sums up the reported tokens of ended replies by day', async () => {
    const ada = await user();
    const id = await chat(ada, [10, 5]);
    await chat(ada, [20, 7], id);

    expect(await usageOf(ada)).toEqual([
      { date: today(), replies: 2, prompt_tokens: 30, completion_tokens: 12 },
    ]);
  });

  it('has a row per model, per configuration and for oneself', async () => {
    const ada = await user();
    const other = { model_url: t.provider.url, model_name: 'other-model', api_key: 'sk-test' };
    const { body: config } = await ada.post<Thing>('/auth/config/create', other);
    const id = await chat(ada, [10, 5]);
    t.provider.willStream('Hello', finish('stop'), used(100, 50));
    await ada.send(id, 'Hi', { config_id: config.id });

    const [first, second] = [
      { replies: 1, prompt_tokens: 10, completion_tokens: 5 },
      { replies: 1, prompt_tokens: 100, completion_tokens: 50 },
    ];
    expect(await usageOf(ada, '?group=model')).toEqual([
      { model_name: 'other-model', ...second },
      { model_name: 'test-model', ...first },
    ]);
    expect(await usageOf(ada, '?group=config')).toEqual([
      { config_id: ada.configId, ...first },
      { config_id: config.id, ...second },
    ]);
    expect(await usageOf(ada, '?group=user')).toEqual([
      { user_id: ada.id, replies: 2, prompt_tokens: 110, completion_tokens: 55 },
    ]);
  });

  it('counts failed and stopped replies with their estimated tokens', async () => {
    const ada = await user();
    const { id } = await ada.createConversation({ title: 'Counted' });
    t.provider.willAnswer(401, { error: { message: 'No such key' } });
    await ada.send(id, 'Hi');
    const hold = gate();
    t.provider.willStream('Some words', hold);
    const asked = t.provider.chats.length;
    const reply = ada.send(id, 'Hi');
    await t.provider.waitForRequests(asked + 1);
    await ada.post(`/conversations/${id}/stop`);
    await reply;
    hold.open();

    expect(await usageOf(ada)).toEqual([await sumOfMessages(ada)]);
    expect((await usageOf(ada))[0]).toMatchObject({ replies: 2 });
  });

  it('counts the tokens of a title, which is no reply', async () => {
    const ada = await user();
    const { id } = await ada.createConversation();
    t.provider.title = ['A title', finish('stop'), used(1000, 400)];
    await chat(ada, [10, 5], id);
    await until(async () => (await usageOf(ada))[0]?.prompt_tokens === 1010);

    expect(await usageOf(ada, '?group=config')).toEqual([
      { config_id: ada.configId, replies: 1, prompt_tokens: 1010, completion_tokens: 405 },
    ]);
  });

  it('is not lowered by deleting messages, conversations and configurations', async () => {
    const ada = await user();
    const id = await chat(ada, [10, 5]);
    const before = await usageOf(ada, '?group=config');
    await ada.post(`/conversations/${id}/delete`);
    await ada.post(`/auth/config/${ada.configId}/delete`);

    expect(await usageOf(ada, '?group=config')).toEqual(before);
    expect(before).toHaveLength(1);
  });

  it('counts a reply on the day (UTC) on which it ended', async () => {
    const ada = await user();
    await chat(ada, [10, 5]);
    const yesterday = addDays(today(), -1);
    await t.manager.update(DailyUsage, { userId: ada.id }, { date: yesterday });
    await chat(ada, [1, 1]);
    const rowsFrom = (from: string, to: string) => usageOf(ada, `?from=${from}&to=${to}`);

    expect((await usageOf(ada)).map(({ date }) => date)).toEqual([yesterday, today()]);
    expect(await rowsFrom(yesterday, yesterday)).toEqual([
      { date: yesterday, replies: 1, prompt_tokens: 10, completion_tokens: 5 },
    ]);
    expect(await rowsFrom(addDays(today(), 1), addDays(today(), 2))).toEqual([]);
  });

  it('covers 30 days by default', async () => {
    const ada = await user();
    await chat(ada, [10, 5]);
    for (const [days, found] of [
      [29, 1],
      [30, 0],
    ] as const) {
      await t.manager.update(DailyUsage, { userId: ada.id }, { date: addDays(today(), -days) });
      expect(await usageOf(ada)).toHaveLength(found);
    }
  });

  it('shows nobody else’s usage', async () => {
    const [ada, bob] = [await user(), await user()];
    await chat(ada, [10, 5]);

    expect(await usageOf(ada, '?group=user')).toHaveLength(1);
    expect(await usageOf(bob, '?group=user')).toEqual([]);
  });

  it.each([
    ['from=2026-02-30', 'from'],
    ['from=yesterday', 'from'],
    ['to=2026-1-1', 'to'],
    ['to=0000-01-01', 'to'],
    ['from=2026-02-02&to=2026-02-01', 'from'],
    ['from=2025-01-01&to=2026-01-02', 'from'],
    ['from=2026-01-01&from=2026-01-02', 'from'],
    ['group=week', 'group'],
  ])('refuses %s with 422', async (query, field) => {
    const ada = await user();
    const { status, body } = await ada.get<Thing>(`/auth/me/usage?${query}`);

    expect([status, body.code]).toEqual([422, 'validation_failed']);
    expect((body.errors as Thing[]).map((error) => error.field)).toEqual([field]);
  });

  it('covers 366 days at most', async () => {
    expect((await (await user()).get('/auth/me/usage?from=2025-01-01&to=2026-01-01')).status).toBe(200);
  });
});

describe('GET /admin/usage', () => {
  type Group = 'day' | 'user' | 'model' | 'config';
  interface Sums {
    replies: number;
    prompt_tokens: number;
    completion_tokens: number;
  }
  let admin: TestUser;

  // Tests above have moved rows of users, but not the sums of partitions.
  beforeAll(async () => {
    await t.manager.clear(DailyUsage);
    admin = await createAdmin(t);
  });

  const ask = (query: string) => admin.get<{ rows: (Thing & Sums)[] }>(`/admin/usage?${query}`);
  const report = async (group: Group) =>
    (await ask(`from=${today()}&to=${today()}&group=${group}`)).body.rows;
  const total = async (group: Group) => {
    const rows = await report(group);
    return rows.reduce(
      (sum, row) => [sum[0]! + row.replies, sum[1]! + row.prompt_tokens, sum[2]! + row.completion_tokens],
      [0, 0, 0],
    );
  };

  it('has the same sums by day, model, user and configuration', async () => {
    await chat(await user(), [10, 5]);
    const sums = await total('user');

    expect(sums[0]).toBeGreaterThan(0);
    for (const group of ['day', 'model', 'config'] as const) expect(await total(group)).toEqual(sums);
  });

  it('keeps the usage of a deleted user, without the user', async () => {
    const [ada, bob] = [await user(), await user()];
    await chat(ada, [10, 5]);
    await chat(bob, [20, 7]);
    const before = await total('user');
    for (const each of [ada, bob])
      expect((await each.post('/auth/me/delete', { current_password: each.password })).status).toBe(204);

    expect(await total('user')).toEqual(before);
    expect(await total('day')).toEqual(before);
    const users = (await report('user')).map(({ user_id }) => user_id);
    expect(users).toContain(null);
    expect(users).not.toContain(ada.id);
    expect((await report('config')).map(({ config_id }) => config_id)).toContain(ada.configId);
  });

  it('has one row of all users per day, of the 30 days to today by default', async () => {
    await t.manager.clear(DailyUsage);
    for (const tokens of [
      [10, 5],
      [20, 7],
    ] as const)
      await chat(await user(), [...tokens]);
    const day = (daysAgo: number) => addDays(today(), -daysAgo);
    await t.manager.updateAll(DailyUsage, { date: day(29) });
    await chat(await user(), [1, 1]);
    const old = { date: day(29), replies: 2, prompt_tokens: 30, completion_tokens: 12 };
    const fresh = { date: today(), replies: 1, prompt_tokens: 1, completion_tokens: 1 };

    expect((await ask('')).body).toEqual({ rows: [old, fresh] });
    expect((await ask(`to=${day(1)}`)).body).toEqual({ rows: [old] });
    expect((await ask(`from=${day(28)}`)).body).toEqual({ rows: [fresh] });
    expect((await ask(`from=${day(29)}&to=${day(29)}&group=model`)).body).toEqual({
      rows: [{ model_name: 'test-model', replies: 2, prompt_tokens: 30, completion_tokens: 12 }],
    });
  });

  it('has null for the demo model’s configuration', async () => {
    const row = { modelName: 'demo', replies: 1, promptTokens: 1, completionTokens: 1 };
    await t.manager.insert(DailyUsage, { date: '2026-01-01', userId: 1, configId: 0, ...row });

    expect((await ask('from=2026-01-01&to=2026-01-01&group=config')).body).toEqual({
      rows: [{ config_id: null, replies: 1, prompt_tokens: 1, completion_tokens: 1 }],
    });
  });

  it('has all users, however far apart their ids, and one sum of a configuration that they share', async () => {
    const like = await t.manager.findOneByOrFail(User, { id: admin.id });
    const far = { ...like, id: admin.id + 10_000, username: 'far', usernameKey: 'far' };
    await t.manager.insert(User, { ...far, email: null, emailKey: null });
    const row = { modelName: 'm', configId: 7, replies: 1, promptTokens: 2, completionTokens: 3 };
    for (const userId of [admin.id, far.id])
      await t.manager.insert(DailyUsage, { date: '2026-02-01', userId, ...row });
    const askFor = async (group: Group) => (await ask(`from=2026-02-01&to=2026-02-01&group=${group}`)).body;

    expect(await askFor('config')).toEqual({
      rows: [{ config_id: 7, replies: 2, prompt_tokens: 4, completion_tokens: 6 }],
    });
    const sums = { replies: 1, prompt_tokens: 2, completion_tokens: 3 };
    expect(await askFor('user')).toEqual({
      rows: [
        { user_id: admin.id, ...sums },
        { user_id: far.id, ...sums },
      ],
    });
  });

  it.each([
    ['from=2026-02-30', 'from'],
    ['to=1', 'to'],
    ['from=2026-02-02&to=2026-02-01', 'from'],
    ['from=2025-01-01&to=2026-01-02', 'from'],
    ['group=week', 'group'],
  ])('refuses %s with 422', async (query, field) => {
    const { status, body } = await admin.get<Thing>(`/admin/usage?${query}`);

    expect([status, body.code]).toEqual([422, 'validation_failed']);
    expect((body.errors as Thing[]).map((error) => error.field)).toEqual([field]);
  });
});

async function sumOfMessages({ id: userId }: TestUser): Promise<object> {
  const replies = await t.manager.findBy(Message, { userId, role: 'assistant' });
  return {
    date: today(),
    replies: replies.length,
    prompt_tokens: replies.reduce((sum, reply) => sum + reply.promptTokens!, 0),
    completion_tokens: replies.reduce((sum, reply) => sum + reply.completionTokens!, 0),
  };
}
