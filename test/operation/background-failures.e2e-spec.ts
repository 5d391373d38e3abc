/** Work in the background that fails: its log lines, and what the next run does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuditWriter } from '../../src/audit/audit-writer.js';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { SessionSweep } from '../../src/auth/sessions/session-sweep.service.js';
import { ExpiryPurgeService } from '../../src/auth/tokens/expiry-purge.service.js';
import { SharedConfigPublisher } from '../../src/configs/shared-config-publisher.service.js';
import { Conversation } from '../../src/conversations/conversation.entity.js';
import { ConversationRetention } from '../../src/conversations/conversation-retention.service.js';
import { FileSweep } from '../../src/files/file-sweep.service.js';
import { MailQueue } from '../../src/mail/mail-queue.service.js';
import { WebhookDispatcher } from '../../src/webhooks/webhook-dispatcher.service.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import { LogLines } from '../support/app/log-lines.js';
import type { TestUser } from '../support/app/user.js';
import { webhookSecret } from '../support/secrets.js';

const DAY_MS = 24 * 60 * 60_000;
const log = new LogLines();

let t: TestApp;
let ada: TestUser;
beforeAll(async () => {
  const webhooks = { WEBHOOK_URL: 'http://127.0.0.1:1/', WEBHOOK_SECRET: webhookSecret() };
  t = await startTestApp({ env: { ...webhooks, RETENTION_DAYS: '30' }, log });
  ada = await t.user().withConfig(t.provider).create();
  await ada.socket().connected;
});
afterAll(() => t?.stop());

const failLogin = () => t.http.post('/auth/login', { email: ada.email, password: 'wrong' });

/** Renames a table, so that every query of it fails. */
async function without(table: string, work: () => Promise<unknown>): Promise<void> {
  await t.manager.query(`ALTER TABLE ${table} RENAME TO ${table}_away`);
  try {
    await work();
  } finally {
    await t.manager.query(`ALTER TABLE ${table}_away RENAME TO ${table}`);
  }
}

describe('a failure in the background is logged', () => {
  it.each<[table: string, message: string, run: () => unknown, level?: string]>([
    [
      'refresh_tokens',
      'Failed to purge expired sessions, tokens and events',
      () => t.app.get(ExpiryPurgeService).run(),
    ],
    [
      'conversations',
      'Failed to delete conversations past their retention',
      () => t.app.get(ConversationRetention).run(),
    ],
    ['files', 'Failed to remove unused files', () => t.app.get(FileSweep).run()],
    ['queued_mails', 'Failed to read queued mails', () => t.app.get(MailQueue).wake()],
    ['webhook_deliveries', 'Failed to claim webhook deliveries', () => t.app.get(WebhookDispatcher).wake()],
    ['webhook_deliveries', 'Failed to purge webhook deliveries', () => t.app.get(WebhookDispatcher).purge()],
    [
      'model_configs',
      'Failed to publish shared configs',
      () => t.app.get(SharedConfigPublisher).publishChange(),
    ],
    ['audit_events', 'Failed to store audit events, retrying', failLogin],
    [
      'sessions',
      'Failed to read the sessions of connected users',
      () => t.app.get(SessionSweep).run(),
      'debug',
    ],
  ])('without the table %s: %s', async (table, message, run, level = 'warn') => {
    await without(table, async () => {
      await run();
      const line = await log.until(({ msg }) => msg === message);
      expect(line).toMatchObject({ level, error: expect.stringContaining(table) });
    });
  });
});

it('an audit event that could not be stored is stored later', async () => {
  const failed = () => t.manager.countBy(AuditEvent, { action: 'login.failed' });
  const audit = t.app.get(AuditWriter);
  await audit.flush();
  const before = await failed();

  await without('audit_events', async () => {
    await failLogin();
    await audit.flush();
  });
  await audit.flush();
  expect(await failed()).toBe(before + 1);
});

it('the retention logs how many conversations it deleted', async () => {
  const { id } = await ada.createConversation();
  const past = new Date(Date.now() - 31 * DAY_MS);
  await t.manager.update(Conversation, { id }, { updatedAt: past });
  await t.app.get(ConversationRetention).run();

  expect(await t.manager.existsBy(Conversation, { id })).toBe(false);
  expect(await log.until(({ msg }) => msg === 'Deleted conversations past their retention')).toMatchObject({
    level: 'info',
    count: 1,
    before: expect.any(String),
  });
});
