import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';

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

  /** As entered, in lower case. */
  @Index('uq_users_email', { unique: true })
  @Column({ type: 'varchar', length: 255 })
  email!: string;

  /** Result of `emailKey`: the same for all spellings of an address. */
  @Index('uq_users_email_key', { unique: true })
  @Column({ name: 'email_key', type: 'varchar', length: 320, nullable: true })
  emailKey!: string;

  /** Argon2id, in PHC string format. */
  @Column({ name: 'password_hash', type: 'varchar', length: 255 })
  passwordHash!: string;

  /** The chosen default configuration. If it is null or deleted, the oldest is the default. */
  @Column({ ...ID, name: 'default_config_id', nullable: true })
  defaultConfigId!: number | null;

  /** Conversations that are not archived. Stored, because counting them would slow every list down. */
  @Column({ name: 'conversation_count', type: 'int', default: 0 })
  conversationCount!: number;

  /** Archived conversations. */
  @Column({ name: 'archived_count', type: 'int', default: 0 })
  archivedCount!: number;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
