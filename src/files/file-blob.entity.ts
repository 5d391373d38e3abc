import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TEXT, TIME } from '../database/columns.js';

/**
 * Bytes in the storage, once per user and content. The row exists before the bytes and until they are deleted, so that
 * a crash leaves no bytes without a row. It outlives the user, whose bytes are deleted in the background.
 */
@Entity('file_blobs')
@Index('uq_file_blobs_sha256', ['userId', 'sha256'], { unique: true })
export class FileBlob {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  /** In hex. Null while the bytes are written, for scaled copies, and once the bytes are to be deleted. */
  @Column({ type: 'varchar', length: 64, nullable: true })
  sha256!: string | null;

  /** Random. */
  @Column({ name: 'storage_key', type: 'varchar', length: 64 })
  storageKey!: string;

  /** Extracted from a PDF, or null. */
  @Column({ ...TEXT, nullable: true })
  text!: string | null;

  /** Blob of a scaled copy for models, deleted with this one. */
  @Column({ ...ID, name: 'scaled_blob_id', nullable: true })
  scaledBlobId!: number | null;

  /**
   * When the bytes are deleted; again later, until it succeeds. Null while a file uses them. A node claims the deletion
   * by moving the time.
   */
  @Index('ix_file_blobs_delete_at')
  @Column({ ...TIME, name: 'delete_at', nullable: true })
  deleteAt!: Date | null;
}
