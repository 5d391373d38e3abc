import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ID, JSON_TEXT, TIME } from '../database/columns.js';

@Entity('model_configs')
export class ModelConfig {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_model_configs_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

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

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  @Column({ ...TIME, name: 'updated_at' })
  updatedAt!: Date;
}
