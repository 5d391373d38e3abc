import { Column, Entity, PrimaryColumn } from 'typeorm';
import { ID, TEXT } from '../database/columns.js';

/** In the order in which they come. */
export const REPLY_PARTS = ['reasoning', 'content'] as const;
export type ReplyPart = (typeof REPLY_PARTS)[number];

/** Numbers that an attempt has for its chunks: what a lost node still writes of the one before stays apart from it. */
const CHUNKS_AN_ATTEMPT = 1_000_000_000;

/** The chunks of an attempt have numbers above this. */
export function chunksBefore(attempt: number): number {
  return (attempt - 1) * CHUNKS_AN_ATTEMPT;
}

/**
 * A running reply's text, append-only. It has no foreign key, so that one statement can append for all running
 * replies although one of them is just being deleted; the reaper sweeps what such a race leaves.
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
