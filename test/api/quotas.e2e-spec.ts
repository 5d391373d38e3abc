/** Daily tokens of shared configurations. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IsNull } from 'typeorm';
import { ModelConfig } from '../../src/configs/model-config.entity.js';
import { Message } from '../../src/conversations/messages/message.entity.js';
import { DailyUsage } from '../../src/usage/daily-usage.entity.js';
import { addDays, dateOf } from '../../src/usage/usage-dates.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { finish, usage } from '../support/provider/provider.js';

const TOKENS = 100;

let t: TestApp;
let admin: TestUser;
let ada: TestUser;
let configId: number;
let id: number;

beforeAll(async () => {
  t = await startTestApp();
  admin = await createAdmin(t);
  t.provider.onRequest = () => ['Hello', finish('stop'), usage({ prompt_tokens: 50, completion_tokens: 10 })];
});
afterAll(() => t.stop());
beforeEach(async () => {
  await t.manager.delete(ModelConfig, { userId: IsNull() });
  const config = { model_url: t.provider.url, model_name: 'shared-model', daily_tokens_per_user: TOKENS };
  configId = (await admin.post<Thing>('/admin/configs/create', config)).body.id;
  ada = await t.user().create();
  ({ id } = await ada.createConversation({ title: 'Quota' }));
});

const quotaOf = async (user: TestUser) =>
  (await user.get<{ quotas: Thing[] }>('/auth/me/usage')).body.quotas[0]!;
const useUp = async () => {
  for (const content of ['1', '2']) expect((await ada.send(id, content)).status).toBe(200);
};
const messages = () => t.manager.countBy(Message, { userId: ada.id });

describe('a quota', () => {
  it('tells what is used and when it is renewed', async () => {
    await ada.send(id, 'Hi');

    expect(await quotaOf(ada)).toEqual({
      config_id: configId,
      daily_tokens: TOKENS,
      used: 60,
      resets_at: `${addDays(dateOf(new Date()), 1)}T00:00:00.000Z`,
    });
    expect(await quotaOf(admin)).toMatchObject({ used: 0 });
  });

  it('refuses what would start a reply when it is used up, and stores nothing', async () => {
    await useUp();
    const [question, reply] = await ada.history(id);
    const before = await messages();

    for (const [path, body] of [
      ['chat', { content: 'Hi' }],
      [`messages/${reply!.id}/regenerate`, {}],
      [`messages/${question!.id}/edit`, { content: 'Hi' }],
    ] as const) {
      const answer = await ada.fetch('POST', `/conversations/${id}/${path}`, body);
      const seconds = Number(answer.headers.get('retry-after'));
      expect([answer.status, ((await answer.json()) as Thing).code]).toEqual([429, 'quota_exceeded']);
      const midnight = Date.parse(addDays(dateOf(new Date()), 1));
      expect(Math.abs(seconds - (midnight - Date.now()) / 1000)).toBeLessThan(10);
    }
    expect(await messages()).toBe(before);
    expect((await quotaOf(ada)).used).toBe(120);
  });

  it('refuses on sockets too', async () => {
    await useUp();
    const refused = { ok: false, error: { code: 'quota_exceeded', status: 429 } };
    const command = { conversation_id: id, content: 'Hi' };

    expect(await ada.socket().emit('chat.send', command)).toMatchObject(refused);
    expect(await ada.ws(id).request('chat.send', { content: 'Hi' })).toMatchObject(refused);
  });

  it('answers a repeat as ever', async () => {
    const client_message_id = '0b8f7a4e-3c63-4c5f-9a55-6d3ce1d3b7a1';
    const first = await ada.send(id, 'Hi', { client_message_id });
    await ada.send(id, 'More');

    const repeat = await ada.send(id, 'Hi', { client_message_id });
    expect([repeat.status, repeat.body.assistant_message.id]).toEqual([200, first.body.assistant_message.id]);
  });

  it('concerns that configuration and that user alone', async () => {
    await useUp();
    const own = { model_url: t.provider.url, model_name: 'own-model' };
    const bob = await t.user().create();
    const { id: bobs } = await bob.createConversation({ title: 'Quota' });
    expect((await bob.send(bobs, 'Hi')).status).toBe(200);
    await ada.post('/auth/config/create', own);

    expect((await ada.send(id, 'Hi')).status).toBe(200);
    expect((await ada.send(id, 'Hi', { config_id: configId })).body.code).toBe('quota_exceeded');
  });

  it('is renewed at midnight UTC, raised and lifted', async () => {
    await useUp();
    const change = (tokens: number | null) =>
      admin.post(`/admin/configs/${configId}/update`, { daily_tokens_per_user: tokens });
    await change(121);
    expect((await ada.send(id, 'Hi')).status).toBe(200);
    await change(null);
    expect((await ada.send(id, 'Hi')).status).toBe(200);
    expect((await ada.get<{ quotas: Thing[] }>('/auth/me/usage')).body.quotas).toEqual([]);
    await change(TOKENS);
    expect((await ada.send(id, 'Hi')).body.code).toBe('quota_exceeded');

    await t.manager.update(DailyUsage, { userId: ada.id }, { date: addDays(dateOf(new Date()), -1) });
    expect((await ada.send(id, 'Hi')).status).toBe(200);
  });

  it('lets no new reply start once it is passed, of 50 sends at once on two nodes', async () => {
    const node = await t.startNode();
    const conversations = await Promise.all(
      Array.from({ length: 50 }, () => ada.createConversation({ title: 'Quota' })),
    );
    const answers = await Promise.all(
      conversations.map(({ id: each }, n) => (n % 2 ? ada.on(node) : ada).send(each, 'Hi')),
    );
    const later = await Promise.all(
      conversations.map(({ id: each }, n) => (n % 2 ? ada.on(node) : ada).send(each, 'Hi')),
    );
    const replies = await t.manager.find(Message, { where: { userId: ada.id, role: 'assistant' } });
    const { used } = await quotaOf(ada);
    await node.stop();

    const started = answers.filter(({ status }) => status === 200).length;
    expect(replies).toHaveLength(started);
    expect(started).toBeGreaterThanOrEqual(2);
    expect(later.map(({ body }) => body.code)).toEqual(Array(50).fill('quota_exceeded'));
    expect(answers.every(({ status, body }) => status === 200 || body.code === 'quota_exceeded')).toBe(true);
    expect(used).toBe(60 * started);
  });
});
