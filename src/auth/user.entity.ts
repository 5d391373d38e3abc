import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TIME } from '../database/columns.js';

@Entity('users')
export class User {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ type: 'varchar', length: 50 })
  username!: string;

  /** The username folded (NFKC, lower case), so that it is unique without regard to case. */
  @Index('uq_users_username_key', { unique: true })
  @Column({ name: 'username_key', type: 'varchar', length: 255 })
  usernameKey!: string;

  /** Lower-cased. */
  @Index('uq_users_email', { unique: true })
  @Column({ type: 'varchar', length: 255 })
  email!: string;

  /** Argon2id, in PHC string format. */
  @Column({ name: 'password_hash', type: 'varchar', length: 255 })
  passwordHash!: string;

  /** The chosen default configuration; where it is gone or null, the oldest is the default. */
  @Column({ ...ID, name: 'default_config_id', nullable: true })
  defaultConfigId!: number | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
