import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { NotFoundError } from '../../common/errors/errors.js';
import { foldText } from '../../common/text/fold-text.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import type { Message } from '../../conversations/messages/message.entity.js';
import { isMysql } from '../../database/data-source.js';
import { RawEntityQuery } from '../../database/raw-entity-query.js';
import { RawEntityWriter } from './raw-entity-writer.js';
import { titleFromText } from './titles.js';

const HEAD = ['activeMessageId', 'messageCount', 'updatedAt', 'title', 'titleKey'] as const;

/** Locks conversations for a turn and stores their new heads. */
@Injectable()
export class ConversationHeads {
  private readonly rows: RawEntityQuery<Conversation>;
  private readonly writer: RawEntityWriter<Conversation>;
  /** Empty on SQLite, where a transaction excludes other writers from its start. */
  private readonly locking: string;

  constructor(@InjectDataSource() database: DataSource) {
    this.rows = new RawEntityQuery(database, Conversation, 'c');
    this.writer = new RawEntityWriter(database, Conversation);
    this.locking = isMysql(database) ? 'FOR UPDATE' : '';
  }

  /**
   * Locks a conversation until the transaction ends.
   * @throws {NotFoundError} also for another user's conversation
   */
  async lock(manager: EntityManager, userId: number, id: number): Promise<Conversation> {
    const owned = `WHERE c.id = ? AND c.user_id = ? ${this.locking}`;
    const conversation = await this.rows.findOne(manager, owned, [id, userId]);
    if (!conversation) throw new NotFoundError('conversation');
    return conversation;
  }

  /** Locks those conversations that are not locked, without checking their owner. */
  lockUnlocked(manager: EntityManager, ids: number[]): Promise<Conversation[]> {
    const skip = this.locking && `${this.locking} SKIP LOCKED`;
    return this.rows.find(manager, `WHERE c.id IN (${ids.map(() => '?').join(', ')}) ${skip}`, ids);
  }

  save(manager: EntityManager, conversations: Conversation[]): Promise<void> {
    return this.writer.update(manager, conversations, [...HEAD]);
  }
}

/**
 * Moves the conversation's head to the new reply. The first message also provides the title.
 * @param added number of new messages
 * @param fileName title of a message without words
 */
export function advanceHead(
  conversation: Conversation,
  userMessage: Message,
  reply: Message,
  added: number,
  fileName?: string,
): void {
  const isFirst = userMessage.parentId === null && conversation.titleSource === 'default';
  const title = isFirst ? titleFromText(userMessage.content.trim() || (fileName ?? '')) : null;
  Object.assign(conversation, {
    activeMessageId: reply.id,
    messageCount: conversation.messageCount + added,
    updatedAt: reply.createdAt,
    ...(title !== null && { title, titleKey: foldText(title) }),
  });
}
