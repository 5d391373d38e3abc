/** Events are stored with what they report, signed, and sent to a real HTTP server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { WebhookDelivery } from '../../src/webhooks/webhook-delivery.entity.js';
import { WebhookOutbox } from '../../src/webhooks/webhook-outbox.service.js';
import { createAdmin } from '../support/app/admin.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import type { Thing } from '../support/clients/http.js';
import { expectProblem, invalidFields } from '../support/clients/problems.js';
import { WEBHOOK_SECRET, WebhookReceiver } from '../support/infrastructure/webhook-receiver.js';
import { stall } from '../support/provider/provider.js';
import { until } from '../support/infrastructure/until.js';

/** Signs first; the receiver still knows the other one only. */
const NEW_SECRET = `whsec_${Buffer.from('the new secret of the receiver, rotated').toString('base64')}`;

let receiver: WebhookReceiver;
let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  t = await startTestApp({
    env: { ...receiver.env, WEBHOOK_SECRET: `${NEW_SECRET},${WEBHOOK_SECRET}` },
  });
  ada = await t.user().withConfig(t.provider).create();
});
afterAll(async () => {
  await t?.stop();
  await receiver?.close();
});
beforeEach(() => {
  receiver.answer = () => undefined;
});

describe('a completed reply', () => {
  it('is sent with its ids and figures, signed, and without text', async () => {
    const { id } = await ada.createConversation({ title: 'Signed' });
    const { body } = await ada.send(id, 'Hi');

    const reply = body.assistant_message;
    const webhook = await receiver.received(({ data }) => data.message_id === reply.id);
    expect(JSON.parse(webhook.raw)).toEqual({
      type: 'message.completed',
      timestamp: reply.completed_at,
      data: {
        user_id: ada.id,
        conversation_id: id,
        message_id: reply.id,
        status: 'complete',
        finish_reason: reply.finish_reason,
        model_name: reply.model_name,
        usage: reply.usage,
      },
    });
    expect(webhook.headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': expect.stringMatching(/^msg_[\w-]{36}$/),
      'webhook-timestamp': expect.stringMatching(/^\d{10}$/),
      'webhook-signature': expect.stringMatching(/^v1,[\w+/]{43}= v1,[\w+/]{43}=$/),
      'user-agent': 'Parley-Webhooks',
    });
    expect(receiver.forgeries).toEqual([]);
    const verified = new Webhook(NEW_SECRET).verify(webhook.raw, webhook.headers as Record<string, string>);
    expect(verified).toEqual(JSON.parse(webhook.raw));
    await until(() => t.manager.existsBy(WebhookDelivery, { status: 'delivered', attempts: 1 }));
  });
});

describe('the end of a reply', () => {
  it('is stored together with its webhook, or neither is', async () => {
    const outbox = t.app.get(WebhookOutbox);
    const add = outbox.add.bind(outbox);
    const failing = jest.spyOn(outbox, 'add').mockImplementationOnce(async (manager, event) => {
      await add(manager, event);
      throw new Error('The connection was lost');
    });
    const { id } = await ada.createConversation({ title: 'Together' });
    const { body } = await ada.send(id, 'Hi');

    expect(body.assistant_message.status).toBe('complete');
    expect(failing).toHaveBeenCalledTimes(2);
    expect(await t.manager.countBy(WebhookDelivery, { orderingKey: `conversation:${id}` })).toBe(1);
    failing.mockRestore();
  });
});

describe('a user', () => {
  it('is reported when registered and when deleted', async () => {
    const eve = await t.user().create();
    expect((await eve.post('/auth/me/delete', { current_password: eve.password })).status).toBe(204);

    await receiver.received(({ type, data }) => type === 'user.deleted' && data.user_id === eve.id);
    const events = receiver.accepted.filter(({ data }) => data.user_id === eve.id);
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['user.created', { user_id: eve.id }],
      ['user.deleted', { user_id: eve.id }],
    ]);
  });

  it('is not reported if the registration is refused', async () => {
    const count = await t.manager.countBy(WebhookDelivery, { type: 'user.created' });
    const { status } = await t.http.post('/auth/register', {
      username: ada.username,
      email: `other-${ada.email}`,
      password: ada.password,
    });

    expect(status).toBe(409);
    expect(await t.manager.countBy(WebhookDelivery, { type: 'user.created' })).toBe(count);
  });
});

describe('a stopped or failed reply', () => {
  it.each([
    ['stopped', () => t.provider.willStream('so far', stall())],
    ['failed', () => t.provider.willAnswer(401, { error: { message: 'No such key' } })],
  ])('is sent as %s', async (status, script) => {
    script();
    const { id } = await ada.createConversation({ title: 'Ended' });
    const sse = await ada.sse(`/conversations/${id}/chat`, { content: 'Hi' });
    if (status === 'stopped') {
      await sse.until(({ type }) => type === 'message.delta');
      await ada.post(`/conversations/${id}/stop`);
    }
    await sse.ended;

    const { data } = await receiver.received((webhook) => webhook.data.conversation_id === id);
    expect(data).toMatchObject({ status, finish_reason: null });
  });
});

describe('GET /admin/webhooks', () => {
  let admin: TestUser;
  beforeAll(async () => {
    admin = await createAdmin(t);
    await receiver.received(({ data }) => data.user_id === admin.id);
  });

  const list = async (query = '') => {
    const { status, body } = await admin.get<Deliveries>(`/admin/webhooks${query}`);
    expect(status).toBe(200);
    return body;
  };
  const newest = async () => (await list('?limit=1')).deliveries[0]!;

  it('lists deliveries by status, newest first, in pages', async () => {
    receiver.answer = ({ type }) => (type === 'user.created' ? 410 : 200);
    for (let n = 0; n < 3; n++) await t.user().create();
    await until(async () => (await list('?status=dead')).deliveries.length === 3);

    const { deliveries, has_more } = await list('?status=dead&limit=2');
    const all = await list('?status=dead');
    expect(all.has_more).toBe(false);
    expect({ deliveries, has_more }).toEqual({ deliveries: all.deliveries.slice(0, 2), has_more: true });
    expect(deliveries[0]).toEqual({
      id: expect.any(Number),
      type: 'user.created',
      status: 'dead',
      attempts: 1,
      last_error: 'HTTP 410',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/),
    });
    const rest = await list(`?status=dead&before_id=${deliveries[1]!.id}`);
    expect(rest).toEqual({ deliveries: [all.deliveries[2]], has_more: false });
    expect((await list('?status=delivered')).deliveries.every(({ status }) => status === 'delivered')).toBe(
      true,
    );
  });

  it.each(['?status=late', '?limit=0', '?limit=101', '?before_id=0'])('refuses %s', async (query) => {
    expect(invalidFields(await admin.get(`/admin/webhooks${query}`))).toEqual([/\w+/.exec(query)![0]]);
  });

  it('has a retry, by which a dead one is delivered with its id', async () => {
    receiver.answer = () => 410;
    const eve = await t.user().create();
    await until(async () => (await newest()).status === 'dead');
    const { id } = await newest();
    receiver.answer = () => undefined;

    expect(await admin.post(`/admin/webhooks/${id}/retry`)).toMatchObject({ status: 202, body: '' });

    const accepted = await receiver.received(({ data }) => data.user_id === eve.id);
    const [first] = receiver.attempts.filter(({ data }) => data.user_id === eve.id);
    expect(accepted.id).toBe(first!.id);
    await until(async () => (await newest()).status === 'delivered');
    expect(await newest()).toMatchObject({ id, attempts: 1, last_error: null });
  });

  it('has no retry of what does not exist', async () => {
    expectProblem(await admin.post('/admin/webhooks/999999/retry'), 404, 'not_found');
    expectProblem(await admin.post('/admin/webhooks/x/retry'), 404, 'not_found');
  });
});

interface Deliveries {
  deliveries: (Thing & { id: number; status: string })[];
  has_more: boolean;
}

describe('without WEBHOOK_URL', () => {
  it('nothing is stored', async () => {
    const node = await startTestApp();
    const eve = await node.user().withConfig(node.provider).create();
    const { id } = await eve.createConversation({ title: 'Quiet' });
    expect((await eve.send(id, 'Hi')).body.assistant_message.status).toBe('complete');

    expect(await node.manager.count(WebhookDelivery)).toBe(0);
    await node.stop();
  });
});
