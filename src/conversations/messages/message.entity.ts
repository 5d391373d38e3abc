import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, JSON_TEXT, TEXT, TIME } from '../../database/columns.js';
import { Conversation } from '../conversation.entity.js';

export type MessageRole = 'user' | 'assistant';
/** Web page cited by the provider. */
export interface MessageSource {
  url: string;
  title: string | null;
}
export type MessageStatus = 'streaming' | 'complete' | 'stopped' | 'failed' | 'interrupted';

@Entity('messages')
@Index('ix_messages_branch', ['conversationId', 'active', 'id'])
@Index('ix_messages_siblings', ['conversationId', 'parentId', 'id'])
@Index('uq_messages_client_message_id', ['conversationId', 'clientMessageId'], { unique: true })
export class Message {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  /** The index also orders the messages of all branches by id. */
  @Index('ix_messages_conversation_id')
  @Column({ ...ID, name: 'conversation_id' })
  conversationId!: number;

  @ManyToOne(() => Conversation, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'conversation_id', foreignKeyConstraintName: 'fk_messages_conversation_id' })
  conversation?: Relation<Conversation>;

  /** Owner of the conversation, which never changes. Searches read a user's messages along its index. */
  @Index('ix_messages_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  /** Parent in the tree of messages. Ids grow from parent to child. */
  @Column({ ...ID, name: 'parent_id', nullable: true })
  parentId!: number | null;

  /** On the active branch. Makes a page of the branch one range of ix_messages_branch. */
  @Column({ type: 'boolean' })
  active!: boolean;

  @Column({ type: 'varchar', length: 10 })
  role!: MessageRole;

  /** Empty while the reply runs; its text is in reply_chunks then. */
  @Column({ ...TEXT })
  content!: string;

  @Column({ ...TEXT })
  reasoning!: string;

  @Column({ type: 'varchar', length: 12 })
  status!: MessageStatus;

  /** The conversation's id while the reply runs, else null. Unique: one running reply per conversation. */
  @Index('uq_messages_streaming_in', { unique: true })
  @Column({ ...ID, name: 'streaming_in', nullable: true })
  streamingIn!: number | null;

  /** Node that runs the reply. */
  @Column({ name: 'node_id', type: 'varchar', length: 36, nullable: true })
  nodeId!: string | null;

  /** Number of starts: more than 1 after retries of an interrupted reply. */
  @Column({ type: 'int' })
  attempt!: number;

  @Column({ name: 'finish_reason', type: 'varchar', length: 64, nullable: true })
  finishReason!: string | null;

  @Column({ name: 'error_code', type: 'varchar', length: 64, nullable: true })
  errorCode!: string | null;

  @Column({ ...TEXT, name: 'error_detail', nullable: true })
  errorDetail!: string | null;

  @Column({ ...ID, name: 'config_id', nullable: true })
  configId!: number | null;

  @Column({ name: 'model_name', type: 'varchar', length: 200, nullable: true })
  modelName!: string | null;

  @Column({ name: 'prompt_tokens', type: 'int', nullable: true })
  promptTokens!: number | null;

  @Column({ name: 'completion_tokens', type: 'int', nullable: true })
  completionTokens!: number | null;

  @Column({ name: 'total_tokens', type: 'int', nullable: true })
  totalTokens!: number | null;

  @Column({ name: 'usage_estimated', type: 'boolean', nullable: true })
  usageEstimated!: boolean | null;

  @Column({ ...JSON_TEXT, nullable: true })
  sources!: MessageSource[] | null;

  /** Lower-case UUID by which the client can repeat a send safely. */
  @Column({ name: 'client_message_id', type: 'varchar', length: 36, nullable: true })
  clientMessageId!: string | null;

  /** The UUID as sent, if it was not in lower case. */
  @Column({ name: 'client_message_spelling', type: 'varchar', length: 36, nullable: true })
  clientMessageSpelling!: string | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  @Column({ ...TIME, name: 'completed_at', nullable: true })
  completedAt!: Date | null;
}
