import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, In, IsNull, MoreThan } from 'typeorm';
import { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { isMysql } from '../../database/data-source.js';
import { retryContention, transaction } from '../../database/retry.js';
import { chunksBefore, ReplyChunk, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { siblingIds } from '../../conversations/messages/sibling-ids.js';
import { readChunks } from '../../conversations/messages/stored-text.js';
import { type EndingReply, type FinalReply, ReplyEndRecords } from './reply-end-records.js';
import { endInPieces, groupByStatement, MAX_LENGTH } from './store-in-pieces.js';
import type { Usage } from '../../usage/estimated-usage.js';

/** Selects a range of the unique key. For IS NOT NULL, SQLite would scan the table. */
const RUNNING = { streamingIn: MoreThan(0) };

/** Text to append to a reply. */
export interface UnsavedChunk {
  messageId: number;
  seq: number;
  part: ReplyPart;
  text: string;
}

/** Reply that is stored as `streaming`, with the user message it answers. */
export interface RunningReply {
  reply: Message;
  userMessage: Message;
  conversation: Conversation;
}

/** Stores replies: a `streaming` row whose text is in chunks, then a row with its end. */
@Injectable()
export class ReplyRepository {
  private readonly insertChunks: string;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly endRecords: ReplyEndRecords,
  ) {
    // A statement whose result was lost is repeated; rows that it stored are ignored.
    const insert = isMysql(database) ? 'INSERT IGNORE' : 'INSERT OR IGNORE';
    this.insertChunks = `${insert} INTO reply_chunks (message_id, seq, part, text) VALUES `;
  }

  /** Appends text of any number of replies, usually in one statement. */
  async append(chunks: UnsavedChunk[]): Promise<void> {
    for (const rows of groupByStatement(chunks)) {
      const values = rows.flatMap(({ messageId, seq, part, text }) => [messageId, seq, part, text]);
      const sql = this.insertChunks + rows.map(() => '(?,?,?,?)').join(',');
      await retryContention(() => this.database.query(sql, values));
    }
  }

  /**
   * Ends a running reply by compare-and-set, so that it ends once, and stores what its end records.
   * @param nodeId required owner
   * @returns whether this call ended it
   */
  async end(reply: EndingReply, nodeId: string, final: FinalReply): Promise<boolean> {
    return transaction(this.database, async (manager) => {
      const isUpdated = await this.update(manager, reply, nodeId, final);
      if (isUpdated) await this.endRecords.store(manager, reply, final);
      return isUpdated;
    });
  }

  private async update(
    manager: EntityManager,
    { id }: EndingReply,
    nodeId: string,
    final: FinalReply,
  ): Promise<boolean> {
    const owned = { id, status: 'streaming' as const, nodeId };
    const end = { ...final, streamingIn: null, nodeId: null };
    const { affected } = this.fitsInStatement(final)
      ? await manager.update(Message, owned, end)
      : await endInPieces(manager, owned, end);
    return affected === 1;
  }

  /** SQLite accepts values of any length. */
  private fitsInStatement({ content, reasoning }: FinalReply): boolean {
    return !isMysql(this.database) || content.length + reasoning.length <= MAX_LENGTH;
  }

  /** Starts another attempt of this node's reply, which consists of this reasoning. */
  async restart(id: number, nodeId: string, attempt: number, reasoning: string): Promise<void> {
    const seq = chunksBefore(attempt) + 1;
    await transaction(this.database, async (manager) => {
      await manager.update(Message, { id, status: 'streaming', nodeId }, { attempt });
      await manager.query(`${this.insertChunks}(?,?,?,?)`, [id, seq, 'reasoning', reasoning]);
    });
  }

  /**
   * Takes over a dead node's reply.
   * @param nextAttempt its attempt afterwards
   * @returns false if its owner or attempt has changed since it was read
   */
  async claim(
    { id, nodeId: owner, attempt }: Message,
    nodeId: string,
    nextAttempt: number,
  ): Promise<boolean> {
    const unchanged = { id, status: 'streaming' as const, nodeId: owner ?? IsNull(), attempt };
    const result = await retryContention(() =>
      this.database.getRepository(Message).update(unchanged, { nodeId, attempt: nextAttempt }),
    );
    return result.affected === 1;
  }

  listRunning(): Promise<Pick<Message, 'id' | 'nodeId'>[]> {
    return this.database.getRepository(Message).find({ select: { id: true, nodeId: true }, where: RUNNING });
  }

  async findRunning(where: { id: number } | { conversationId: number }): Promise<RunningReply | null> {
    const messages = this.database.getRepository(Message);
    const reply = await messages.findOne({
      where: { ...where, ...RUNNING },
      relations: { conversation: true },
    });
    const userMessage = reply && (await messages.findOneBy({ id: reply.parentId! }));
    return userMessage && { reply, userMessage, conversation: reply.conversation! };
  }

  /**
   * Ends a reply that no process runs, with its stored text.
   * @param estimate estimates the usage from the text
   * @returns null if the reply was ended or claimed meanwhile
   */
  async endAbandoned(
    { reply }: RunningReply,
    status: 'stopped' | 'interrupted',
    estimate: (text: string) => Promise<Usage>,
  ): Promise<MessageDto | null> {
    const text = await this.textOf(reply.id, reply.attempt);
    const usage = await estimate(text.reasoning + text.content);
    const final = { ...text, ...usageColumns(usage), ...NO_REASON, status, completedAt: new Date() };
    if (!(await this.end(reply, reply.nodeId!, final))) return null;
    return this.toDto({ ...reply, ...final });
  }

  async findMessage(id: number): Promise<MessageDto | null> {
    const message = await this.database.getRepository(Message).findOneBy({ id });
    return message && this.toDto(message);
  }

  async toDto(message: Message): Promise<MessageDto> {
    return MessageDto.from(message, await siblingIds(this.database.manager, message));
  }

  /** Reads an attempt's stored text. */
  textOf(messageId: number, attempt: number): Promise<Record<ReplyPart, string>> {
    return readChunks(this.database.getRepository(ReplyChunk), messageId, attempt);
  }

  async deleteChunks(messageIds: number[]): Promise<void> {
    if (messageIds.length === 0) return;
    await retryContention(() =>
      this.database.getRepository(ReplyChunk).delete({ messageId: In(messageIds) }),
    );
  }

  /**
   * Deletes chunks left by a process that died between a reply's end and their deletion. Selects them first, in one
   * consistent read, so that chunks of a reply that starts meanwhile are kept.
   */
  async deleteOrphanedChunks(): Promise<void> {
    const orphans: { messageId: number }[] = await this.database.query(
      `SELECT DISTINCT c.message_id AS messageId FROM reply_chunks c
       LEFT JOIN messages m ON m.id = c.message_id AND m.streaming_in IS NOT NULL WHERE m.id IS NULL`,
    );
    await this.deleteChunks(orphans.map((orphan) => Number(orphan.messageId)));
  }
}

const NO_REASON = { finishReason: null, errorCode: null, errorDetail: null, sources: null };

export function usageColumns({ estimated, ...tokens }: Usage) {
  return { ...tokens, usageEstimated: estimated };
}
