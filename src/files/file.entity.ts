import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ID, TIME } from '../database/columns.js';
import { FileBlob } from './file-blob.entity.js';

/** An upload. After its deletion, the row stays as long as messages name it. */
@Entity('files')
@Index('ix_files_user_id', ['userId', 'id'])
export class StoredFile {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_files_user_id' })
  user?: Relation<User>;

  /** Null once the file is deleted. */
  @Index('ix_files_blob_id')
  @Column({ ...ID, name: 'blob_id', nullable: true })
  blobId!: number | null;

  @ManyToOne(() => FileBlob)
  @JoinColumn({ name: 'blob_id', foreignKeyConstraintName: 'fk_files_blob_id' })
  blob?: Relation<FileBlob>;

  @Column({ type: 'varchar', length: 255 })
  name!: string;

  @Column({ name: 'mime_type', type: 'varchar', length: 100 })
  mimeType!: string;

  @Column({ type: 'int' })
  bytes!: number;

  /** In hex. */
  @Column({ type: 'varchar', length: 64 })
  sha256!: string;

  /** In pixels; null unless it is an image. */
  @Column({ type: 'int', nullable: true })
  width!: number | null;

  @Column({ type: 'int', nullable: true })
  height!: number | null;

  @Column({ ...TIME, name: 'deleted_at', nullable: true })
  deletedAt!: Date | null;

  /** When the sweep removes the file unless a message uses it. A send sets it to null, which also locks the row. */
  @Index('ix_files_expires_at')
  @Column({ ...TIME, name: 'expires_at', nullable: true })
  expiresAt!: Date | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
