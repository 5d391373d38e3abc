import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, Repository } from 'typeorm';
import { NotFoundError } from '../../common/errors/errors.js';
import { WebhookDelivery } from '../../webhooks/webhook-delivery.entity.js';
import { WebhookDispatcher } from '../../webhooks/webhook-dispatcher.service.js';
import { RETRY_FOR_MS } from '../../webhooks/webhook-outbox.service.js';
import { WebhookDeliveriesDto, WebhookDeliveryDto, type WebhooksQuery } from './webhooks.dto.js';

@Injectable()
export class WebhooksService {
  constructor(
    @InjectRepository(WebhookDelivery) private readonly deliveries: Repository<WebhookDelivery>,
    private readonly dispatcher: WebhookDispatcher,
  ) {}

  async list({ status, before_id, limit }: WebhooksQuery): Promise<WebhookDeliveriesDto> {
    const found = await this.deliveries.find({
      where: {
        ...(status !== undefined && { status }),
        ...(before_id !== undefined && { id: LessThan(before_id) }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    const deliveries = found.slice(0, limit).map(WebhookDeliveryDto.from);
    return { deliveries, has_more: found.length > limit };
  }

  /** @throws {NotFoundError} */
  async retry(id: number): Promise<void> {
    const now = new Date();
    const { affected } = await this.deliveries.update(
      { id },
      {
        status: 'pending',
        attempts: 0,
        nextAttemptAt: now,
        retryUntil: new Date(now.getTime() + RETRY_FOR_MS),
        finishedAt: null,
      },
    );
    if (affected !== 1) throw new NotFoundError('webhook delivery');
    this.dispatcher.wake();
  }
}
