import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, IsNull, Not } from 'typeorm';
import { Conversation } from '../conversations/conversation.entity.js';
import { MessageDto } from '../conversations/message.dto.js';
import { Message, MessageStatus } from '../conversations/message.entity.js';
import { isMysql } from '../database/data-source.js';
import { retryContention } from '../database/retry.js';
import { ReplyChunk } from '../conversations/reply-chunk.entity.js';
import type { UnsavedChunk } from './reply.js';

/** Rows a statement: SQLite binds at most 32,766 values. */
const ROWS_A_STATEMENT = 1000;

/** A reply's end, all of it. */
export interface FinalReply {
  status: Exclude<MessageStatus, 'streaming'>;
  content: string;
  reasoning: string;
  finishReason: string | null;
  errorCode: string | null;
  errorDetail: string | null;
  promptTokens: number | null;
  completionTokens: number | null;
  totalTokens: number | null;
  usageEstimated: boolean | null;
  completedAt: Date;
}

interface EndedReply {
  message: MessageDto;
  attempt: number;
  userId: number;
}

const NOTHING_KNOWN = {
  finishReason: null,
  errorCode: null,
  errorDetail: null,
  promptTokens: null,
  completionTokens: null,
  totalTokens: null,
  usageEstimated: null,
};

/** What a reply is in the database: a `streaming` row and its chunks, then a row with an end. */
@Injectable()
export class ReplyStore {
  private readonly insertChunks: string;

  constructor(@InjectDataSource() private readonly database: DataSource) {
    // A statement whose answer was lost is repeated: rows that it had stored are passed over.
    const insert = isMysql(database) ? 'INSERT IGNORE' : 'INSERT OR IGNORE';
    this.insertChunks = `${insert} INTO reply_chunks (message_id, seq, part, text) VALUES `;
  }

  /** Appends for all running replies of the process, in one statement as a rule. */
  async append(chunks: UnsavedChunk[]): Promise<void> {
    for (let start = 0; start < chunks.length; start += ROWS_A_STATEMENT) {
      const rows = chunks.slice(start, start + ROWS_A_STATEMENT);
      const values = rows.flatMap(({ messageId, seq, part, text }) => [messageId, seq, part, text]);
      const sql = this.insertChunks + rows.map(() => '(?,?,?,?)').join(',');
      await retryContention(() => this.database.query(sql, values));
    }
  }

  /**
   * Ends a running reply: compare-and-set, so that whatever races for it, it ends once.
   * @param nodeId who must own it
   * @returns whether this call ended it
   */
  async end(messageId: number, nodeId: string, final: FinalReply): Promise<boolean> {
    const result = await retryContention(() =>
      this.database
        .getRepository(Message)
        .update(
          { id: messageId, status: 'streaming', nodeId },
          { ...final, streamingIn: null, nodeId: null },
        ),
    );
    return result.affected === 1;
  }

  /** Takes over a dead node's reply, to run it again from the start. */
  async claim(message: Message, nodeId: string): Promise<boolean> {
    const result = await this.database
      .getRepository(Message)
      .update(
        { id: message.id, status: 'streaming', nodeId: message.nodeId ?? IsNull() },
        { nodeId, attempt: message.attempt + 1 },
      );
    return result.affected === 1;
  }

  listRunning(): Promise<Pick<Message, 'id' | 'nodeId'>[]> {
    return this.database
      .getRepository(Message)
      .find({ select: { id: true, nodeId: true }, where: { streamingIn: Not(IsNull()) } });
  }

  findRunningIn(conversationId: number): Promise<Message | null> {
    return this.database.getRepository(Message).findOneBy({ streamingIn: conversationId });
  }

  /**
   * Ends a reply that no process runs, with the text that was stored of it.
   * @returns the message, or null where something else ended it first
   */
  async endAbandoned(id: number, status: 'stopped' | 'interrupted'): Promise<EndedReply | null> {
    const message = await this.database
      .getRepository(Message)
      .findOne({ where: { id, status: 'streaming' }, relations: { conversation: true } });
    if (!message?.nodeId || !message.conversation) return null;
    const final = { ...NOTHING_KNOWN, ...(await this.textOf(id)), status, completedAt: new Date() };
    if (!(await this.end(id, message.nodeId, final))) return null;
    await this.deleteChunks([id]);
    const { attempt, conversation } = message;
    return { message: MessageDto.from({ ...message, ...final }, [id]), attempt, userId: conversation.userId };
  }

  async ownerOf(conversationId: number): Promise<number | null> {
    const conversation = await this.database
      .getRepository(Conversation)
      .findOne({ select: { id: true, userId: true }, where: { id: conversationId } });
    return conversation && conversation.userId;
  }

  async findMessage(id: number): Promise<MessageDto | null> {
    const message = await this.database.getRepository(Message).findOneBy({ id });
    return message && MessageDto.from(message, [message.id]);
  }

  async textOf(messageId: number): Promise<{ content: string; reasoning: string }> {
    const chunks = await this.database
      .getRepository(ReplyChunk)
      .find({ where: { messageId }, order: { seq: 'ASC' } });
    const join = (part: string) =>
      chunks
        .filter((chunk) => chunk.part === part)
        .map((chunk) => chunk.text)
        .join('');
    return { content: join('content'), reasoning: join('reasoning') };
  }

  async deleteChunks(messageIds: number[]): Promise<void> {
    if (messageIds.length === 0) return;
    await retryContention(() =>
      this.database.getRepository(ReplyChunk).delete({ messageId: In(messageIds) }),
    );
  }

  /**
   * Chunks outlive their reply where a process died between its end and their deletion. They are looked for first,
   * in one consistent read, since a reply that begins meanwhile must keep its own.
   */
  async deleteOrphanedChunks(): Promise<void> {
    const orphans: { messageId: number }[] = await this.database.query(
      `SELECT DISTINCT c.message_id AS messageId FROM reply_chunks c
       LEFT JOIN messages m ON m.id = c.message_id AND m.streaming_in IS NOT NULL WHERE m.id IS NULL`,
    );
    await this.deleteChunks(orphans.map((orphan) => Number(orphan.messageId)));
  }
}
