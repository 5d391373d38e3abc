import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TEXT, TIME } from '../database/columns.js';

export const DELIVERY_STATUSES = ['pending', 'delivered', 'dead'] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

/**
 * An event for the operator's server. Has no foreign keys: it outlives what it reports.
 *
 * Events of one `orderingKey` are sent one after another, by id. Only the first pending one has a `nextAttemptAt`, apart
 * from new ones: the others are parked until it is delivered or dead.
 */
@Entity('webhook_deliveries')
@Index('ix_webhook_deliveries_order', ['orderingKey', 'status'])
export class WebhookDelivery {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  /** Sent as `webhook-id`, the same with every attempt. */
  @Column({ name: 'webhook_id', type: 'varchar', length: 40 })
  webhookId!: string;

  @Column({ type: 'varchar', length: 32 })
  type!: string;

  /** `conversation:<id>` or `user:<id>` */
  @Column({ name: 'ordering_key', type: 'varchar', length: 32 })
  orderingKey!: string;

  /** JSON, sent and signed as it is. */
  @Column({ ...TEXT })
  body!: string;

  @Index('ix_webhook_deliveries_status')
  @Column({ type: 'varchar', length: 10 })
  status!: DeliveryStatus;

  @Column({ type: 'int' })
  attempts!: number;

  /** A node claims the delivery by moving this time to the end of its lease. Null if parked, delivered or dead. */
  @Index('ix_webhook_deliveries_next_attempt_at')
  @Column({ ...TIME, name: 'next_attempt_at', nullable: true })
  nextAttemptAt!: Date | null;

  /** A failed attempt after this time is the last. */
  @Column({ ...TIME, name: 'retry_until' })
  retryUntil!: Date;

  @Column({ name: 'last_error', type: 'varchar', length: 255, nullable: true })
  lastError!: string | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  /** When it was delivered or became dead. */
  @Index('ix_webhook_deliveries_finished_at')
  @Column({ ...TIME, name: 'finished_at', nullable: true })
  finishedAt!: Date | null;
}
