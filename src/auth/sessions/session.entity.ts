import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/** A login. Deleting the row revokes its tokens. */
@Entity('sessions')
export class Session {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_sessions_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_sessions_user_id' })
  user?: Relation<User>;

  /** When the password was verified. Recent logins need no reauthentication. */
  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  @Column({ ...TIME, name: 'last_used_at' })
  lastUsedAt!: Date;

  /** Expiry of the newest refresh token. */
  @Index('ix_sessions_expires_at')
  @Column({ ...TIME, name: 'expires_at' })
  expiresAt!: Date;

  @Column({ type: 'varchar', length: 45 })
  ip!: string;

  @Column({ name: 'user_agent', type: 'varchar', length: 255 })
  userAgent!: string;
}
