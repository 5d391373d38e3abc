/** Delivery of webhooks to a real HTTP receiver that is slow, down, or fails at random. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { Between, DataSource } from 'typeorm';
import { EgressGuard } from '../../src/ai/egress/egress-guard.js';
import { retryContention, transaction } from '../../src/database/retry.js';
import { Settings } from '../../src/env/settings.js';
import { WebhookDelivery } from '../../src/webhooks/webhook-delivery.entity.js';
import { retryDelayMs, WebhookDispatcher } from '../../src/webhooks/webhook-dispatcher.service.js';
import { WebhookOutbox } from '../../src/webhooks/webhook-outbox.service.js';
import { type SendOutcome, WebhookSender } from '../../src/webhooks/webhook-sender.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { collectGarbage } from '../support/app/garbage.js';
import {
  type ReceivedWebhook,
  WEBHOOK_SECRET,
  WebhookReceiver,
} from '../support/infrastructure/webhook-receiver.js';
import { until } from '../support/infrastructure/until.js';

let receiver: WebhookReceiver;
let t: TestApp;
/** Outcome of an attempt without a response, which takes a while beside the other tests. */
let stalled: Promise<{ outcome: SendOutcome; ms: number }>;
/** Conversations of other tests have smaller ids. */
let conversationId = 0;
beforeAll(async () => {
  stalled = sendToStallingReceiver();
  receiver = await WebhookReceiver.start();
  t = await startTestApp({ env: receiver.env });
});
afterAll(async () => {
  await t?.stop();
  await receiver?.close();
});
beforeEach(() => {
  conversationId += 1000;
  receiver.answer = () => undefined;
  receiver.mostAtOnce = 0;
});
afterEach(() => expect(receiver.forgeries).toEqual([]));

async function sendToStallingReceiver(): Promise<{ outcome: SendOutcome; ms: number }> {
  const stalling = await WebhookReceiver.start();
  stalling.answer = () => {
    // A collection must not lose the time limit.
    collectGarbage();
    return new Promise(() => undefined);
  };
  const [webhookUrl, webhookSecrets] = [stalling.url, [WEBHOOK_SECRET]];
  const settings = Object.assign(new Settings(), { webhookUrl, webhookSecrets });
  const guard = new EgressGuard(settings, () => Promise.reject(new Error('The URL has no name')));
  const sender = new WebhookSender(settings, guard);
  const start = performance.now();
  const delivery = { webhookId: 'msg_stalled', body: '{}' } as WebhookDelivery;
  const outcome = await sender.send(delivery, new AbortController().signal);
  await stalling.close();
  return { outcome, ms: performance.now() - start };
}

/** Stores the ends of replies in a conversation, as the reply engine does. */
async function complete(conversation: number, ...messages: number[]): Promise<void> {
  const outbox = t.app.get(WebhookOutbox);
  for (const message_id of messages) {
    const data = {
      ...{ user_id: 1, conversation_id: conversation, message_id },
      ...{ status: 'complete', finish_reason: 'stop', model_name: 'model', usage: null },
    } as const;
    const event = { type: 'message.completed', timestamp: new Date(), data } as const;
    await transaction(t.app.get(DataSource), (manager) => outbox.add(manager, event));
  }
}

const rowsOf = (conversation: number) =>
  t.manager.find(WebhookDelivery, {
    where: { orderingKey: `conversation:${conversation}` },
    order: { id: 'ASC' },
  });
const rowOf = async (conversation: number) => (await rowsOf(conversation))[0]!;
const isOf = (conversation: number) => (webhook: ReceivedWebhook) =>
  webhook.data.conversation_id === conversation;
const messagesOf = (webhooks: ReceivedWebhook[], conversation: number) =>
  webhooks.filter(isOf(conversation)).map(({ data }) => data.message_id);
const delivered = (conversation: number, count: number) =>
  until(() => messagesOf(receiver.accepted, conversation).length === count);
const settled = (conversation: number) =>
  until(async () => (await rowsOf(conversation)).every(({ status }) => status !== 'pending'));
const failed = (conversation: number) => until(async () => (await rowOf(conversation)).lastError !== null);

/** Makes deliveries due that wait for their first or second retry, not those that are being attempted. */
async function skipBackoff(conversation?: number): Promise<void> {
  const [soon, later] = [200, 19_000].map((ms) => new Date(Date.now() + ms)) as [Date, Date];
  const waiting = {
    status: 'pending' as const,
    nextAttemptAt: Between(soon, later),
    ...(conversation !== undefined && { orderingKey: `conversation:${conversation}` }),
  };
  await retryContention(() => t.manager.update(WebhookDelivery, waiting, { nextAttemptAt: new Date() }));
  t.app.get(WebhookDispatcher).wake();
}

function hold(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('a receiver', () => {
  it('that does not respond delays no other conversation', async () => {
    const held = hold();
    const [stalled, other] = [conversationId, conversationId + 1];
    receiver.answer = async ({ data }) => {
      if (data.conversation_id === stalled) await held.opened;
    };
    await complete(stalled, 1, 2);
    await until(() => receiver.attempts.some(isOf(stalled)));
    await complete(other, 1, 2, 3, 4, 5);
    await delivered(other, 5);

    expect(messagesOf(receiver.attempts, stalled)).toEqual([1]);
    held.open();
    await delivered(stalled, 2);
    expect(messagesOf(receiver.attempts, stalled)).toEqual([1, 2]);
  });

  it('gets the events of a conversation in order, also after a failure', async () => {
    receiver.answer = () => (messagesOf(receiver.attempts, conversationId).length === 3 ? 500 : 200);
    await complete(conversationId, 1, 2, 3, 4);
    await until(async () => (await rowsOf(conversationId))[2]!.lastError !== null);

    expect(messagesOf(receiver.attempts, conversationId)).toEqual([1, 2, 3]);
    const { attempts, lastError, nextAttemptAt } = (await rowsOf(conversationId))[2]!;
    expect({ attempts, lastError }).toEqual({ attempts: 1, lastError: 'HTTP 500' });
    const waitMs = nextAttemptAt!.getTime() - Date.now();
    expect(waitMs).toBeGreaterThan(3000);
    expect(waitMs).toBeLessThanOrEqual(6000);
    await skipBackoff(conversationId);
    await delivered(conversationId, 4);
    expect(messagesOf(receiver.attempts, conversationId)).toEqual([1, 2, 3, 3, 4]);
  });

  it('gets each attempt with the same id and body', async () => {
    receiver.answer = () => (messagesOf(receiver.attempts, conversationId).length === 1 ? 503 : 200);
    await complete(conversationId, 1);
    await failed(conversationId);
    await skipBackoff(conversationId);
    await delivered(conversationId, 1);

    const [first, second] = receiver.attempts.filter(isOf(conversationId));
    expect(second).toMatchObject({ id: first!.id, raw: first!.raw });
  });

  it('that was down gets everything once it is back', async () => {
    await receiver.close();
    await complete(conversationId, 1, 2, 3);
    await failed(conversationId);
    expect((await rowOf(conversationId)).lastError).toMatch(/^(ECONNREFUSED|UND_ERR_SOCKET|ECONNRESET)/);

    await receiver.listen();
    await skipBackoff(conversationId);
    await delivered(conversationId, 3);
    expect(messagesOf(receiver.accepted, conversationId)).toEqual([1, 2, 3]);
  });

  it('gets at most ten at once', async () => {
    const held = hold();
    receiver.answer = () => held.opened;
    for (let n = 0; n < 25; n++) await complete(conversationId + n, 1);
    await until(() => receiver.mostAtOnce === 10);
    await delay(200);
    held.open();

    await until(
      () =>
        receiver.accepted.filter(({ data }) => Number(data.conversation_id) >= conversationId).length === 25,
    );
    expect(receiver.mostAtOnce).toBe(10);
  });

  it('that redirects is not followed', async () => {
    receiver.answer = (_, response) => {
      response.writeHead(302, { Location: receiver.url }).end();
      return 302;
    };
    await complete(conversationId, 1);
    await failed(conversationId);

    expect((await rowOf(conversationId)).lastError).toBe('HTTP 302');
    expect(receiver.attempts.filter(isOf(conversationId))).toHaveLength(1);
  });

  it('whose response never ends has taken the event', async () => {
    receiver.answer = (_, response) => {
      const more = () => response.write('x'.repeat(64 * 1024), (error) => error || more());
      response.writeHead(200);
      more();
    };
    await complete(conversationId, 1);

    await until(async () => (await rowOf(conversationId)).status === 'delivered', 5000);
  });

  it('that is gone gets no second attempt, and the next event', async () => {
    receiver.answer = ({ data }) => (data.message_id === 1 ? 410 : 200);
    await complete(conversationId, 1, 2);

    await settled(conversationId);
    const rows = await rowsOf(conversationId);
    expect(rows.map(({ status, attempts, lastError }) => [status, attempts, lastError])).toEqual([
      ['dead', 1, 'HTTP 410'],
      ['delivered', 1, null],
    ]);
  });

  it.each([
    ['120', 110, 120],
    [new Date(Date.now() + 600_000).toUTCString(), 540, 605],
    ['999999', 3500, 3600],
    ['soon', 3, 6],
  ])('that asks for a pause with Retry-After gets it, up to an hour: %s', async (header, least, most) => {
    receiver.answer = (_, response) => {
      response.writeHead(429, { 'Retry-After': header }).end();
      return 429;
    };
    await complete(conversationId, 1);
    await failed(conversationId);

    const seconds = ((await rowOf(conversationId)).nextAttemptAt!.getTime() - Date.now()) / 1000;
    expect(seconds).toBeGreaterThan(least);
    expect(seconds).toBeLessThanOrEqual(most);
  });

  it('that fails for a day loses the event, and gets the next one', async () => {
    receiver.answer = () => 500;
    const before = Date.now();
    await complete(conversationId, 1, 2);
    await failed(conversationId);
    const { retryUntil } = await rowOf(conversationId);
    expect((retryUntil.getTime() - before) / 3_600_000).toBeCloseTo(24, 1);

    const [first] = await rowsOf(conversationId);
    await t.manager.update(WebhookDelivery, { id: first!.id }, { retryUntil: new Date() });
    receiver.answer = ({ data }) => (data.message_id === 1 ? 500 : 200);
    await skipBackoff(conversationId);
    await settled(conversationId);
    expect((await rowsOf(conversationId)).map(({ status, attempts }) => [status, attempts])).toEqual([
      ['dead', 2],
      ['delivered', 1],
    ]);
  });
});

describe('the delay of a retry', () => {
  it('grows from five seconds to an hour, with up to a fifth more at random', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 50].map((attempts) => retryDelayMs(attempts, 0, 0) / 1000);

    expect(delays).toEqual([5, 15, 45, 135, 405, 1215, 3600, 3600, 3600]);
    expect(retryDelayMs(1, 0, 1)).toBe(6000);
  });
});

describe('old deliveries', () => {
  it('are deleted after 7 days if delivered, and after 30 if dead', async () => {
    const day = 24 * 60 * 60_000;
    await complete(conversationId, 1, 2, 3, 4);
    await delivered(conversationId, 4);
    await until(async () => (await rowsOf(conversationId)).every(({ status }) => status === 'delivered'));
    const ages = [6.9, 7.1, 29.9, 30.1];
    for (const [index, row] of (await rowsOf(conversationId)).entries()) {
      const finishedAt = new Date(Date.now() - ages[index]! * day);
      await t.manager.update(WebhookDelivery, row.id, {
        finishedAt,
        status: index < 2 ? 'delivered' : 'dead',
      });
    }
    await t.restart();

    await until(async () => (await rowsOf(conversationId)).length === 2);
    expect((await rowsOf(conversationId)).map(({ status }) => status)).toEqual(['delivered', 'dead']);
  });
});

/** Events of 30 conversations, four each, to a receiver that fails now and then. */
async function completeMany(): Promise<number[]> {
  const failures = new Map<string, number>();
  receiver.answer = async ({ id }) => {
    await delay(Math.random() * 20);
    const before = failures.get(id) ?? 0;
    failures.set(id, before + 1);
    return before < 2 && Math.random() < 0.3 ? 500 : 200;
  };
  const conversations = Array.from({ length: 30 }, (_, n) => conversationId + n);
  await Promise.all(conversations.map((conversation) => complete(conversation, 1, 2, 3, 4)));
  return conversations;
}

const allDelivered = async (conversations: number[]) =>
  (await t.manager.countBy(WebhookDelivery, {
    status: 'delivered',
    orderingKey: Between(`conversation:${conversationId}`, `conversation:${conversationId + 29}`),
  })) ===
  4 * conversations.length;

const withoutRepeats = (messages: unknown[]) => messages.filter((each, n) => messages.indexOf(each) === n);

describe('a receiver that fails at random', () => {
  it('gets every event at least once, in order, also when leases expire', async () => {
    const conversations = await completeMany();
    let rounds = 0;
    await until(
      async () => {
        await skipBackoff();
        // As if a node had died during an attempt.
        if (++rounds % 5 === 0)
          await retryContention(() =>
            t.manager.update(
              WebhookDelivery,
              { status: 'pending', lastError: 'HTTP 500' },
              { nextAttemptAt: new Date() },
            ),
          );
        return allDelivered(conversations);
      },
      20_000,
      100,
    );

    for (const conversation of conversations)
      expect(withoutRepeats(messagesOf(receiver.accepted, conversation))).toEqual([1, 2, 3, 4]);
  }, 30_000);
});

describe('a receiver that never responds', () => {
  it('is left after ten seconds', async () => {
    const { outcome, ms } = await stalled;

    expect(outcome).toEqual({ type: 'failed', error: 'No response within 10 s', retryAfterMs: 0 });
    expect(ms).toBeGreaterThan(9900);
    expect(ms).toBeLessThan(15_000);
  });
});

/** Last, because passport's strategies are shared by all apps of a process. */
describe('with a second node', () => {
  let node: TestApp;
  beforeAll(async () => {
    node = await t.startNode();
  });
  afterAll(() => node?.stop());

  it('each event is accepted once, in order', async () => {
    const conversations = await completeMany();
    await until(
      async () => {
        await skipBackoff();
        node.app.get(WebhookDispatcher).wake();
        return allDelivered(conversations);
      },
      20_000,
      100,
    );

    for (const conversation of conversations)
      expect(messagesOf(receiver.accepted, conversation)).toEqual([1, 2, 3, 4]);
  }, 30_000);
});
