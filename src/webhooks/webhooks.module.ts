import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AiModule } from '../ai/ai.module.js';
import { WebhookDeliveries } from './webhook-deliveries.js';
import { WebhookDelivery } from './webhook-delivery.entity.js';
import { WebhookDispatcher } from './webhook-dispatcher.service.js';
import { WebhookOutbox } from './webhook-outbox.service.js';
import { WebhookSender } from './webhook-sender.js';

/** Sends events to the operator's server. */
@Module({
  imports: [TypeOrmModule.forFeature([WebhookDelivery]), AiModule],
  providers: [WebhookDeliveries, WebhookDispatcher, WebhookOutbox, WebhookSender],
  exports: [WebhookDeliveries, WebhookDispatcher, WebhookOutbox],
})
export class WebhooksModule {}
