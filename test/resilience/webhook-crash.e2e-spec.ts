/** Webhooks of the built server (`npm run build`), which is killed before they are delivered. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTestNodes, type TestNodes } from '../support/app/process.js';
import { until } from '../support/infrastructure/until.js';
import { WebhookReceiver } from '../support/infrastructure/webhook-receiver.js';

let receiver: WebhookReceiver;
let t: TestNodes;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  t = await startTestNodes();
});
afterAll(async () => {
  await t?.stop();
  await receiver?.close();
});

const pending = () =>
  t.query<{ attempts: number; next_attempt_at: string | Date }>(
    "SELECT attempts, next_attempt_at FROM webhook_deliveries WHERE status = 'pending'",
  );

describe('a node', () => {
  it('that is killed loses no event, whether it was being sent or not yet', async () => {
    receiver.answer = () => new Promise(() => undefined);
    const node = await t.start(receiver.env);
    const ada = await node.user().withConfig(t.provider).create();
    const replies: unknown[] = [];
    for (let n = 0; n < 12; n++) {
      const { id } = await ada.createConversation({ title: 'Killed' });
      replies.push((await ada.send(id, 'Hi')).body.assistant_message.id);
    }
    // The event of the registration is one of the ten that are being sent.
    await until(() => receiver.attempts.length === 10);
    await node.kill();

    const [interrupted] = receiver.attempts;
    receiver.answer = () => undefined;
    expect(receiver.accepted).toEqual([]);
    await t.query('UPDATE webhook_deliveries SET next_attempt_at = created_at');
    const next = await t.start(receiver.env);
    await until(() => receiver.accepted.length === 13);
    await until(async () => (await pending()).length === 0);
    await next.close();

    expect(
      receiver.accepted
        .map(({ data }) => data.message_id)
        .filter(Boolean)
        .sort(),
    ).toEqual(replies.sort());
    expect(receiver.accepted).toContainEqual(
      expect.objectContaining({ id: interrupted!.id, raw: interrupted!.raw }),
    );
    expect(receiver.forgeries).toEqual([]);
  }, 60_000);

  it('that shuts down returns an attempt to the other nodes at once', async () => {
    receiver.answer = () => new Promise(() => undefined);
    const count = receiver.attempts.length;
    const node = await t.start(receiver.env);
    await node.user().create();
    await until(() => receiver.attempts.length === count + 1);
    node.process.signal('SIGTERM');
    expect((await node.process.exited).code).toBe(0);

    const rows = await pending();
    expect(rows.map(({ attempts }) => attempts)).toEqual([0]);
    const due = new Date(String(rows[0]!.next_attempt_at).replace(/^(\d{4}-\d\d-\d\d) ([\d:.]+)$/, '$1T$2Z'));
    expect(due.getTime()).toBeLessThanOrEqual(Date.now() + 1000);
  }, 60_000);
});
