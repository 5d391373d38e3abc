/** Events are stored with what they report, signed, and sent to a real HTTP server. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { WebhookDelivery } from '../../src/webhooks/webhook-delivery.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { TestUser } from '../support/app/user.js';
import { WebhookReceiver } from '../support/infrastructure/webhook-receiver.js';
import { until } from '../support/infrastructure/until.js';

let receiver: WebhookReceiver;
let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  t = await startTestApp({ env: receiver.env });
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
      'webhook-signature': expect.stringMatching(/^v1,[\w+/]{43}=$/),
      'user-agent': 'Parley-Webhooks',
    });
    expect(receiver.forgeries).toEqual([]);
    await until(() => t.manager.existsBy(WebhookDelivery, { status: 'delivered', attempts: 1 }));
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
