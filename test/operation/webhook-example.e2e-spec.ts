/** The receiver of docs/webhooks.md, as its readers would run it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import getPort from 'get-port';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { until } from '../support/infrastructure/until.js';
import { WEBHOOK_SECRET } from '../support/infrastructure/webhook-receiver.js';
import { WebhookDelivery } from '../../src/webhooks/webhook-delivery.entity.js';

const [, snippet = ''] = /^```js\n([^]*?)^```$/m.exec(readFileSync('docs/webhooks.md', 'utf8'))!;

let receiver: ChildProcess;
let url: string;
let output = '';
let t: TestApp;
beforeAll(async () => {
  const port = await getPort();
  url = `http://127.0.0.1:${port}/hooks`;
  const env = { ...process.env, WEBHOOK_SECRET, PORT: String(port) };
  receiver = spawn(process.execPath, ['--input-type=module', '-e', snippet], { env });
  receiver.stdout!.on('data', (data) => (output += data));
  receiver.stderr!.on('data', (data) => (output += data));
  await until(() =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
  t = await startTestApp({ env: { WEBHOOK_URL: url, WEBHOOK_SECRET } });
});
afterAll(async () => {
  await t?.stop();
  receiver?.kill();
});

it('sends a push notification per reply, also if the webhook is repeated, and refuses forgeries', async () => {
  const ada = await t.user().withConfig(t.provider).create();
  const { id } = await ada.createConversation({ title: 'Pushed' });
  await ada.send(id, 'Hi');
  await until(() => t.manager.existsBy(WebhookDelivery, { type: 'message.completed', status: 'delivered' }));
  const repeated = { status: 'pending' as const, nextAttemptAt: new Date() };
  await t.manager.update(WebhookDelivery, { type: 'message.completed' }, repeated);
  await until(() => t.manager.existsBy(WebhookDelivery, { status: 'delivered', attempts: 2 }));

  const forged = await fetch(url, {
    method: 'POST',
    body: '{"type":"message.completed","data":{"status":"complete"}}',
    headers: { 'webhook-id': 'msg_1', 'webhook-timestamp': '1', 'webhook-signature': 'v1,AAAA' },
  });

  expect(forged.status).toBe(401);
  expect(output).toBe(`push to user ${ada.id}: conversation ${id}\n`);
});
