import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/** A one-time credential that was mailed to a user. Using it deletes the row. */
@Entity('mail_tokens')
export class MailToken {
  /** SHA-256 of the token, in hex. */
  @PrimaryColumn({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash!: string;

  @Index('ix_mail_tokens_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_mail_tokens_user_id' })
  user?: Relation<User>;

  @Column({ type: 'varchar', length: 16 })
  purpose!: 'reset' | 'verification';

  /** The address that the token was mailed to; null if it verifies none. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  email!: string | null;

  @Index('ix_mail_tokens_expires_at')
  @Column({ ...TIME, name: 'expires_at' })
  expiresAt!: Date;
}
