import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ID, JSON_TEXT, TIME } from '../database/columns.js';

@Entity('model_configs')
export class ModelConfig {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  /** Null for a configuration that the operator shares with all users. */
  @Index('ix_model_configs_user_id')
  @Column({ ...ID, name: 'user_id', nullable: true })
  userId!: number | null;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_model_configs_user_id' })
  user?: Relation<User>;

  @Column({ type: 'varchar', length: 200 })
  name!: string;

  /** An OpenAI-compatible base URL, without a trailing slash or `/chat/completions`. */
  @Column({ name: 'model_url', type: 'varchar', length: 2048 })
  modelUrl!: string;

  @Column({ name: 'model_name', type: 'varchar', length: 200 })
  modelName!: string;

  /** A Fernet token. */
  @Column({ name: 'encrypted_api_key', type: 'longtext' })
  encryptedApiKey!: string;

  @Column({ name: 'context_tokens', type: 'int' })
  contextTokens!: number;

  @Column({ ...JSON_TEXT })
  params!: Record<string, unknown>;

  /** Whether users see it. Always true for users' own. */
  @Column({ type: 'boolean', default: true })
  enabled!: boolean;

  /** Tokens that each user may use of a shared configuration per day (UTC). Null for any number. */
  @Column({ ...ID, name: 'daily_tokens_per_user', nullable: true })
  dailyTokensPerUser!: number | null;

  /** 1 for the shared default, else null. Unique. */
  @Index('uq_model_configs_shared_default', { unique: true })
  @Column({ name: 'shared_default', type: 'tinyint', nullable: true })
  sharedDefault!: 1 | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  @Column({ ...TIME, name: 'updated_at' })
  updatedAt!: Date;
}
