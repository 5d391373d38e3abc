import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ID, TEXT, TIME } from '../database/columns.js';

/** A mail that waits to be sent. The row is deleted once it is sent or given up. */
@Entity('queued_mails')
export class QueuedMail {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_queued_mails_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_queued_mails_user_id' })
  user?: Relation<User>;

  /** A `Mail` as JSON in a Fernet token: it holds an address and a link that signs in. */
  @Column({ ...TEXT, name: 'encrypted_mail' })
  encryptedMail!: string;

  @Column({ type: 'int', default: 0 })
  attempts!: number;

  /** A node claims the mail by moving this time to the next attempt. */
  @Index('ix_queued_mails_next_attempt_at')
  @Column({ ...TIME, name: 'next_attempt_at' })
  nextAttemptAt!: Date;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
