import type { DataSource } from 'typeorm';
import { ReplyEndRecords } from '../../../src/chat/replies/reply-end-records.js';
import { ReplyRepository } from '../../../src/chat/replies/reply-repository.js';
import { Settings } from '../../../src/env/settings.js';
import type { WebhookDispatcher } from '../../../src/webhooks/webhook-dispatcher.service.js';
import { WebhookOutbox } from '../../../src/webhooks/webhook-outbox.service.js';

/** The repository of replies without a server. */
export function createReplyRepository(dataSource: DataSource): ReplyRepository {
  const outbox = new WebhookOutbox(new Settings(), { wake: () => undefined } as WebhookDispatcher);
  return new ReplyRepository(dataSource, new ReplyEndRecords(outbox));
}
