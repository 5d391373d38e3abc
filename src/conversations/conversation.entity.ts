import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { ModelConfig } from '../configs/model-config.entity.js';
import { ID, JSON_TEXT, TEXT, TIME } from '../database/columns.js';

export type TitleSource = 'default' | 'auto' | 'user';

@Entity('conversations')
@Index('ix_conversations_list', ['userId', 'archived', 'pinned', 'updatedAt', 'id'])
export class Conversation {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_conversations_user_id' })
  user?: Relation<User>;

  @Column({ type: 'varchar', length: 200 })
  title!: string;

  /** Title folded by foldText, for searches. */
  @Column({ ...TEXT, name: 'title_key', nullable: true })
  titleKey!: string;

  @Column({ name: 'title_source', type: 'varchar', length: 10 })
  titleSource!: TitleSource;

  @Index('ix_conversations_config_id')
  @Column({ ...ID, name: 'config_id', nullable: true })
  configId!: number | null;

  @ManyToOne(() => ModelConfig, { onDelete: 'SET NULL' })
  @JoinColumn({ name: 'config_id', foreignKeyConstraintName: 'fk_conversations_config_id' })
  config?: Relation<ModelConfig>;

  @Column({ ...TEXT, name: 'system_prompt', nullable: true })
  systemPrompt!: string | null;

  @Column({ ...JSON_TEXT })
  params!: Record<string, unknown>;

  @Column({ type: 'boolean' })
  pinned!: boolean;

  @Column({ type: 'boolean' })
  archived!: boolean;

  /** Counts all branches. */
  @Column({ name: 'message_count', type: 'int' })
  messageCount!: number;

  /** Last message of the active branch. */
  @Column({ ...ID, name: 'active_message_id', nullable: true })
  activeMessageId!: number | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  /** Newest activity, the order of lists. Only messages are activity. */
  @Column({ ...TIME, name: 'updated_at' })
  updatedAt!: Date;
}
