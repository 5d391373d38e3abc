import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { Message } from '../conversations/messages/message.entity.js';
import { ID } from '../database/columns.js';
import { StoredFile } from './file.entity.js';

/** A file of a message. */
@Entity('message_files')
@Index('ix_message_files_conversation_id', ['conversationId', 'fileId'])
export class MessageFile {
  @PrimaryColumn({ ...ID, name: 'message_id' })
  messageId!: number;

  @ManyToOne(() => Message, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'message_id', foreignKeyConstraintName: 'fk_message_files_message_id' })
  message?: Relation<Message>;

  /** Order in the message, from 0. */
  @PrimaryColumn({ type: 'int' })
  position!: number;

  @Index('ix_message_files_file_id')
  @Column({ ...ID, name: 'file_id' })
  fileId!: number;

  @ManyToOne(() => StoredFile, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'file_id', foreignKeyConstraintName: 'fk_message_files_file_id' })
  file?: Relation<StoredFile>;

  /** The message's conversation, whose deletion finds its files by one index. */
  @Column({ ...ID, name: 'conversation_id' })
  conversationId!: number;
}
