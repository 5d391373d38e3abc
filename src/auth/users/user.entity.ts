import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';

@Entity('users')
export class User {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  username!: string;

  /** The username's folded text (see foldText), so that no two look the same. */
  @Index('uq_users_username_key', { unique: true })
  @Column({ name: 'username_key', type: 'varchar', length: 255 })
  usernameKey!: string;

  /** As it was typed, but lower-cased. */
  @Index('uq_users_email', { unique: true })
  @Column({ type: 'varchar', length: 255 })
  email!: string;

  /** One for all spellings of the address: see emailKey. */
  @Index('uq_users_email_key', { unique: true })
  @Column({ name: 'email_key', type: 'varchar', length: 320, nullable: true })
  emailKey!: string;

  /** Argon2id, in PHC string format. */
  @Column({ name: 'password_hash', type: 'varchar', length: 255 })
  passwordHash!: string;

  /** The chosen default configuration; where it is gone or null, the oldest is the default. */
  @Column({ ...ID, name: 'default_config_id', nullable: true })
  defaultConfigId!: number | null;

  /** Of the conversations that are not archived, and of those that are: counting many would take time at every list. */
  @Column({ name: 'conversation_count', type: 'int', default: 0 })
  conversationCount!: number;

  @Column({ name: 'archived_count', type: 'int', default: 0 })
  archivedCount!: number;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
