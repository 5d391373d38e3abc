import { Column, Entity, PrimaryColumn } from 'typeorm';
import { ID } from '../database/columns.js';

/** `userId` of the usage of deleted users. */
export const DELETED_USERS = 0;
/** Replies that end at once rarely update the same sum, which would make them wait for each other. */
export const PARTITIONS = 16;
/** `configId` of the demo model. */
export const NO_CONFIG = 0;

/**
 * Tokens of a user on a day (UTC), by model and configuration. Rows with a negative `userId` are sums over all users of
 * a partition, by model, so that totals of many users are read at once. Deleting conversations or configurations does
 * not lower any, and the key has no foreign key, so that ending a reply locks no user.
 */
@Entity('daily_usage', { withoutRowid: true })
export class DailyUsage {
  /** `YYYY-MM-DD`. */
  @PrimaryColumn({ type: 'varchar', length: 10 })
  date!: string;

  @PrimaryColumn({ ...ID, name: 'user_id' })
  userId!: number;

  @PrimaryColumn({ name: 'model_name', type: 'varchar', length: 200 })
  modelName!: string;

  @PrimaryColumn({ ...ID, name: 'config_id' })
  configId!: number;

  @Column({ ...ID })
  replies!: number;

  @Column({ ...ID, name: 'prompt_tokens' })
  promptTokens!: number;

  @Column({ ...ID, name: 'completion_tokens' })
  completionTokens!: number;
}

/** The `userId` of the partition's sums. */
export function partitionOf(userId: number): number {
  return -1 - (userId % PARTITIONS);
}
