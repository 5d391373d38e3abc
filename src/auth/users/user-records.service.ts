import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { FileBlob } from '../../files/file-blob.entity.js';
import { anonymizeUsage } from '../../usage/usage-rows.js';
import { userCreated, userDeleted } from '../../webhooks/webhook-event.js';
import { WebhookOutbox } from '../../webhooks/webhook-outbox.service.js';
import { User } from './user.entity.js';

/** Inserts and deletes users in the caller's transaction, together with the webhook that reports it. */
@Injectable()
export class UserRecords {
  constructor(private readonly webhooks: WebhookOutbox) {}

  async insert(manager: EntityManager, user: User): Promise<void> {
    await manager.insert(User, user);
    await this.webhooks.add(manager, userCreated(user.id));
  }

  /**
   * Deletes owned rows by cascade, and the bytes of files in the background. The usage is counted for deleted users from
   * then on.
   */
  async delete(manager: EntityManager, userId: number): Promise<void> {
    const user = await manager.findOneBy(User, { id: userId });
    // Locks the row, so that no conversation is created meanwhile.
    const { affected } = await manager.update(User, { id: userId }, { disabledAt: () => 'disabled_at' });
    if (affected !== 1) return;
    // MySQL 9.7 cascades from a user to the messages of one conversation only, but from any number of conversations.
    await manager.query('DELETE FROM conversations WHERE user_id = ?', [userId]);
    await manager.delete(User, { id: userId });
    await manager.update(FileBlob, { userId, deleteAt: IsNull() }, { sha256: null, deleteAt: new Date() });
    await this.webhooks.add(manager, userDeleted(userId));
    await anonymizeUsage(manager, user!);
  }
}
