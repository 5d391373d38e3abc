import type { DataSource } from 'typeorm';
import { ReplyEndRecords } from '../../../src/chat/replies/reply-end-records.js';
import { ReplyRepository } from '../../../src/chat/replies/reply-repository.js';
import { Message } from '../../../src/conversations/messages/message.entity.js';
import { MessagesService } from '../../../src/conversations/messages/messages.service.js';
import { ReplyChunk } from '../../../src/conversations/messages/reply-chunk.entity.js';
import { Settings } from '../../../src/env/settings.js';
import { FileLinks } from '../../../src/files/file-links.service.js';
import { StoredFile } from '../../../src/files/file.entity.js';
import { MessageFile } from '../../../src/files/message-file.entity.js';
import { MessageFiles } from '../../../src/files/message-files.service.js';
import type { WebhookDispatcher } from '../../../src/webhooks/webhook-dispatcher.service.js';
import { WebhookOutbox } from '../../../src/webhooks/webhook-outbox.service.js';

/** The repository of replies without a server. */
export function createReplyRepository(dataSource: DataSource): ReplyRepository {
  const outbox = new WebhookOutbox(new Settings(), { wake: () => undefined } as WebhookDispatcher);
  const [messages, chunks] = [dataSource.getRepository(Message), dataSource.getRepository(ReplyChunk)];
  const [uses, stored] = [dataSource.getRepository(MessageFile), dataSource.getRepository(StoredFile)];
  const files = new MessageFiles(uses, stored, new FileLinks({ jwtSecrets: ['secret'] } as Settings));
  const service = new MessagesService(messages, chunks, files);
  return new ReplyRepository(dataSource, service, new ReplyEndRecords(outbox));
}
