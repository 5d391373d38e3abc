import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';

export type UserRole = 'user' | 'admin';

@Entity('users')
export class User {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  username!: string;

  /** Result of `foldText`, so that no two usernames look the same. */
  @Index('uq_users_username_key', { unique: true })
  @Column({ name: 'username_key', type: 'varchar', length: 255 })
  usernameKey!: string;

  /** As entered, in lower case. Null for a user of an identity provider that does not vouch for the address. */
  @Index('uq_users_email', { unique: true })
  @Column({ type: 'varchar', length: 255, nullable: true })
  email!: string | null;

  /** Result of `emailKey`: the same for all spellings of an address. */
  @Index('uq_users_email_key', { unique: true })
  @Column({ name: 'email_key', type: 'varchar', length: 320, nullable: true })
  emailKey!: string | null;

  @Column({ name: 'email_verified', type: 'boolean', default: false })
  emailVerified!: boolean;

  /** Argon2id, in PHC string format. Null for a user who signs in by an identity provider alone. */
  @Column({ name: 'password_hash', type: 'varchar', length: 255, nullable: true })
  passwordHash!: string | null;

  /** Whether a login requires a TOTP code. */
  @Column({ name: 'second_factor', type: 'boolean', default: false })
  secondFactor!: boolean;

  /** The granted role. `Roles` returns the effective one. */
  @Index('ix_users_role')
  @Column({ type: 'varchar', length: 16, default: 'user' })
  role!: UserRole;

  @Column({ ...TIME, name: 'disabled_at', nullable: true })
  disabledAt!: Date | null;

  /** Accurate to the minute. Null for a user who has not been seen since an update to the version with this column. */
  @Column({ ...TIME, name: 'last_seen_at', nullable: true })
  lastSeenAt!: Date | null;

  /** The chosen default configuration. If it is null or deleted, the oldest is the default. */
  @Column({ ...ID, name: 'default_config_id', nullable: true })
  defaultConfigId!: number | null;

  /** Conversations that are not archived. Stored, because counting them would slow every list down. */
  @Column({ name: 'conversation_count', type: 'int', default: 0 })
  conversationCount!: number;

  /** Archived conversations. */
  @Column({ name: 'archived_count', type: 'int', default: 0 })
  archivedCount!: number;

  /** Sizes of the user's files. Stored, because it limits them: an upload adds to it only below the limit. */
  @Column({ ...ID, name: 'bytes_used', default: 0 })
  bytesUsed!: number;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
