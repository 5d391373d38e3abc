import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { EmptyIsAbsent, QueryInteger } from '../../common/validation/query.decorators.js';
import {
  DELIVERY_STATUSES,
  type DeliveryStatus,
  type WebhookDelivery,
} from '../../webhooks/webhook-delivery.entity.js';

export class WebhooksQuery {
  /** Only deliveries with this status. */
  @ApiPropertyOptional({ enum: DELIVERY_STATUSES, enumName: 'WebhookStatus' })
  @EmptyIsAbsent()
  @IsOptionalNotNull()
  @IsIn(DELIVERY_STATUSES)
  status?: DeliveryStatus;

  @QueryInteger({ min: 1, description: 'Only deliveries older than this one.' })
  before_id?: number;

  @QueryInteger({ min: 1, max: 100, default: 20, description: 'The most deliveries to return.' })
  limit = 20;
}

export class WebhookDeliveryDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ example: 'message.completed' })
  type!: string;

  @ApiProperty({ enum: DELIVERY_STATUSES, enumName: 'WebhookStatus', example: 'pending' })
  status!: DeliveryStatus;

  /** Made since the event, or since the last retry by an administrator. */
  @ApiProperty({ type: 'integer', example: 2 })
  attempts!: number;

  /** Why the last attempt failed. */
  @ApiProperty({ type: 'string', nullable: true, example: 'HTTP 503' })
  last_error!: string | null;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  static from(delivery: WebhookDelivery): WebhookDeliveryDto {
    return Object.assign(new WebhookDeliveryDto(), {
      id: delivery.id,
      type: delivery.type,
      status: delivery.status,
      attempts: delivery.attempts,
      last_error: delivery.lastError,
      created_at: delivery.createdAt.toISOString(),
    } satisfies WebhookDeliveryDto);
  }
}

export class WebhookDeliveriesDto {
  @ApiProperty({ type: () => [WebhookDeliveryDto] })
  deliveries!: WebhookDeliveryDto[];

  @ApiProperty({ example: false })
  has_more!: boolean;
}
