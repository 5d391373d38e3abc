import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { ID, JSON_TEXT, TEXT, TIME } from '../../database/columns.js';
import { Conversation } from '../conversation.entity.js';

export type MessageRole = 'user' | 'assistant';
/** A web page that a reply rests on, as its provider named it. */
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

  /** Its index also keeps a conversation's messages in the order of their ids, all branches together. */
  @Index('ix_messages_conversation_id')
  @Column({ ...ID, name: 'conversation_id' })
  conversationId!: number;

  @ManyToOne(() => Conversation, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'conversation_id', foreignKeyConstraintName: 'fk_messages_conversation_id' })
  conversation?: Relation<Conversation>;

  /** The conversation's owner, who stays the same: by its index a search reads a user's messages, the newest first. */
  @Index('ix_messages_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  /** The message it follows; a child's id is always above its parent's. */
  @Column({ ...ID, name: 'parent_id', nullable: true })
  parentId!: number | null;

  /** Whether it is on the conversation's active branch: this keeps a branch's page one range of an index. */
  @Column({ type: 'boolean' })
  active!: boolean;

  @Column({ type: 'varchar', length: 10 })
  role!: MessageRole;

  /** Empty while the reply runs: until then its text is in reply_chunks. */
  @Column({ ...TEXT })
  content!: string;

  @Column({ ...TEXT })
  reasoning!: string;

  @Column({ type: 'varchar', length: 12 })
  status!: MessageStatus;

  /** The conversation's id while the reply runs, else null: unique, so that one reply runs in a conversation. */
  @Index('uq_messages_streaming_in', { unique: true })
  @Column({ ...ID, name: 'streaming_in', nullable: true })
  streamingIn!: number | null;

  /** The node that runs the reply. */
  @Column({ name: 'node_id', type: 'varchar', length: 36, nullable: true })
  nodeId!: string | null;

  /** How often the reply was begun: more than once where an interrupted one was retried. */
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

  /** A UUID of the client's, lower-cased, that makes its send safe to repeat. */
  @Column({ name: 'client_message_id', type: 'varchar', length: 36, nullable: true })
  clientMessageId!: string | null;

  /** The same as the client wrote it, where that is not in lower case. */
  @Column({ name: 'client_message_spelling', type: 'varchar', length: 36, nullable: true })
  clientMessageSpelling!: string | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;

  @Column({ ...TIME, name: 'completed_at', nullable: true })
  completedAt!: Date | null;
}
