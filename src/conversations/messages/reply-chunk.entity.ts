import { Between, Column, Entity, type FindOperator, PrimaryColumn } from 'typeorm';
import { ID, TEXT } from '../../database/columns.js';

/** In the order in which providers send them. */
export const REPLY_PARTS = ['reasoning', 'content'] as const;
export type ReplyPart = (typeof REPLY_PARTS)[number];

/** Chunk numbers reserved per attempt, so that late writes of an earlier attempt are not mixed in. */
const CHUNKS_PER_ATTEMPT = 100_000_000;

/** @returns the last number before the chunks of an attempt */
export function chunksBefore(attempt: number): number {
  return (attempt - 1) * CHUNKS_PER_ATTEMPT;
}

/** Condition on `seq` for the chunks of an attempt. */
export function chunksOf(attempt: number): FindOperator<number> {
  return Between(chunksBefore(attempt) + 1, chunksBefore(attempt + 1));
}

/**
 * Text of a running reply, append-only. Has no foreign key, so that one statement can append for all running replies
 * although one of them is being deleted; a sweep deletes the chunks that such a race leaves.
 */
@Entity('reply_chunks')
export class ReplyChunk {
  @PrimaryColumn({ ...ID, name: 'message_id' })
  messageId!: number;

  /** Ascending within an attempt, see chunksBefore. */
  @PrimaryColumn({ type: 'int' })
  seq!: number;

  @Column({ type: 'varchar', length: 10 })
  part!: ReplyPart;

  @Column({ ...TEXT })
  text!: string;
}
