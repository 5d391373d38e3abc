import { Between, Column, Entity, type FindOperator, PrimaryColumn } from 'typeorm';
import { ID, TEXT } from '../../database/columns.js';

/** In the order in which they come. */
export const REPLY_PARTS = ['reasoning', 'content'] as const;
export type ReplyPart = (typeof REPLY_PARTS)[number];

/** Chunk numbers reserved for an attempt, so that late writes of an earlier one stay apart from it. */
const CHUNKS_AN_ATTEMPT = 100_000_000;

/** The chunks of an attempt have numbers above this. */
export function chunksBefore(attempt: number): number {
  return (attempt - 1) * CHUNKS_AN_ATTEMPT;
}

/** The condition on `seq` that selects an attempt's chunks. */
export function chunksOf(attempt: number): FindOperator<number> {
  return Between(chunksBefore(attempt) + 1, chunksBefore(attempt + 1));
}

/**
 * A running reply's text, append-only. It has no foreign key, so that one statement can append for all running
 * replies although one of them is just being deleted; ReplyRecovery deletes chunks that such a race leaves.
 */
@Entity('reply_chunks')
export class ReplyChunk {
  @PrimaryColumn({ ...ID, name: 'message_id' })
  messageId!: number;

  /** Counts up within an attempt. */
  @PrimaryColumn({ type: 'int' })
  seq!: number;

  @Column({ type: 'varchar', length: 10 })
  part!: ReplyPart;

  @Column({ ...TEXT })
  text!: string;
}
