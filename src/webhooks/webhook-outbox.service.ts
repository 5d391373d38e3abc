import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { afterCommit } from '../database/retry.js';
import { Settings } from '../env/settings.js';
import { WebhookDelivery } from './webhook-delivery.entity.js';
import { WebhookDispatcher } from './webhook-dispatcher.service.js';
import { orderingKeyOf, type WebhookEvent } from './webhook-event.js';

export const RETRY_FOR_MS = 24 * 60 * 60_000;

/** Stores events for the operator's server together with what they report. */
@Injectable()
export class WebhookOutbox {
  /** False without WEBHOOK_URL; then nothing is stored. */
  readonly isEnabled: boolean;

  constructor(
    { webhookUrl }: Settings,
    private readonly dispatcher: WebhookDispatcher,
  ) {
    this.isEnabled = webhookUrl !== undefined;
  }

  /** Stores an event in the caller's transaction, and sends it after the commit. */
  async add(manager: EntityManager, event: WebhookEvent): Promise<void> {
    if (!this.isEnabled) return;
    const now = new Date();
    await manager.insert(WebhookDelivery, {
      webhookId: `msg_${randomUUID()}`,
      type: event.type,
      orderingKey: orderingKeyOf(event),
      body: JSON.stringify(event),
      status: 'pending',
      attempts: 0,
      nextAttemptAt: now,
      retryUntil: new Date(now.getTime() + RETRY_FOR_MS),
      createdAt: now,
    });
    afterCommit(manager, () => this.dispatcher.wake());
  }
}
