import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager, In, IsNull, MoreThan } from 'typeorm';
import { isHighSurrogate } from '../../common/text/utf16.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { Message, type MessageSource, MessageStatus } from '../../conversations/messages/message.entity.js';
import { MessagesService } from '../../conversations/messages/messages.service.js';
import { isMysql } from '../../database/data-source.js';
import { retryContention } from '../../database/retry.js';
import {
  ReplyChunk,
  chunksBefore,
  chunksOf,
  type ReplyPart,
} from '../../conversations/messages/reply-chunk.entity.js';
import type { Usage } from './usage.js';

/** Rows and UTF-16 code units a statement: SQLite binds at most 32,766 values, MariaDB takes 16 MiB, escaped. */
const ROWS_A_STATEMENT = 1000;
const LENGTH_A_STATEMENT = 1024 * 1024;

/** A range of the unique key, which SQLite would not see in IS NOT NULL: it would read all messages. */
const RUNNING = { streamingIn: MoreThan(0) };

/** A piece of text that the database does not have yet. */
export interface UnsavedChunk {
  messageId: number;
  seq: number;
  part: ReplyPart;
  text: string;
}

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
  sources: MessageSource[] | null;
  completedAt: Date;
}

/** A reply that is stored as running, and what it answers. */
export interface RunningReply {
  reply: Message;
  question: Message;
  conversation: Conversation;
}

/** What a reply is in the database: a `streaming` row and its chunks, then a row with an end. */
@Injectable()
export class ReplyRepository {
  private readonly insertChunks: string;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly messages: MessagesService,
  ) {
    // A statement whose answer was lost is repeated: rows that it had stored are passed over.
    const insert = isMysql(database) ? 'INSERT IGNORE' : 'INSERT OR IGNORE';
    this.insertChunks = `${insert} INTO reply_chunks (message_id, seq, part, text) VALUES `;
  }

  /** Appends for all running replies of the process, in one statement as a rule. */
  async append(chunks: UnsavedChunk[]): Promise<void> {
    for (const rows of statements(chunks)) {
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
    const own = { id: messageId, status: 'streaming' as const, nodeId };
    const ended = { ...final, streamingIn: null, nodeId: null };
    const result = await retryContention(() =>
      this.fitsAStatement(final)
        ? this.database.manager.update(Message, own, ended)
        : this.database.transaction((manager) => endInPieces(manager, own, ended)),
    );
    return result.affected === 1;
  }

  /** SQLite takes values of any length. */
  private fitsAStatement({ content, reasoning }: FinalReply): boolean {
    return !isMysql(this.database) || content.length + reasoning.length <= LENGTH_A_STATEMENT;
  }

  /** Begins the text of this node's reply anew, as another attempt that has this reasoning. */
  async restart(id: number, nodeId: string, attempt: number, reasoning: string): Promise<void> {
    const seq = chunksBefore(attempt) + 1;
    await retryContention(() =>
      this.database.transaction(async (manager) => {
        await manager.update(Message, { id, status: 'streaming', nodeId }, { attempt });
        await manager.query(`${this.insertChunks}(?,?,?,?)`, [id, seq, 'reasoning', reasoning]);
      }),
    );
  }

  /**
   * Takes over a dead node's reply, to run it again from the start.
   * @param next its attempt from then on
   */
  async claim({ id, nodeId: owner, attempt }: Message, nodeId: string, next: number): Promise<boolean> {
    const result = await retryContention(() =>
      this.database
        .getRepository(Message)
        .update({ id, status: 'streaming', nodeId: owner ?? IsNull(), attempt }, { nodeId, attempt: next }),
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
    const question = reply && (await messages.findOneBy({ id: reply.parentId! }));
    return question && { reply, question, conversation: reply.conversation! };
  }

  /**
   * Ends a reply that no process runs, with the text that was stored of it.
   * @param estimate of what that text took
   * @returns the message, or null where something else ended it first
   */
  async endAbandoned(
    { reply }: RunningReply,
    status: 'stopped' | 'interrupted',
    estimate: (text: string) => Promise<Usage>,
  ): Promise<MessageDto | null> {
    const text = await this.textOf(reply.id, reply.attempt);
    const usage = await estimate(text.reasoning + text.content);
    const final = { ...text, ...usageColumns(usage), ...NO_REASON, status, completedAt: new Date() };
    if (!(await this.end(reply.id, reply.nodeId!, final))) return null;
    return this.toDto({ ...reply, ...final });
  }

  async findMessage(id: number): Promise<MessageDto | null> {
    const message = await this.database.getRepository(Message).findOneBy({ id });
    return message && this.toDto(message);
  }

  async toDto(message: Message): Promise<MessageDto> {
    return MessageDto.from(message, await this.messages.siblingIds(message));
  }

  async textOf(messageId: number, attempt: number): Promise<{ content: string; reasoning: string }> {
    const chunks = await this.database.getRepository(ReplyChunk).find({
      where: { messageId, seq: chunksOf(attempt) },
      order: { seq: 'ASC' },
    });
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

/** MySQL's, piece by piece. The first takes the row's lock, so that whoever else would end the reply waits for all. */
async function endInPieces(
  manager: EntityManager,
  own: { id: number; status: 'streaming'; nodeId: string },
  { content, reasoning, ...ended }: FinalReply & { streamingIn: null; nodeId: null },
): Promise<{ affected?: number }> {
  await manager.update(Message, own, { content: '', reasoning: '' });
  for (const [part, text] of Object.entries({ content, reasoning })) {
    const sql = `UPDATE messages SET ${part} = CONCAT(${part}, ?) WHERE id = ? AND status = ? AND node_id = ?`;
    for (const piece of pieces(text)) await manager.query(sql, [piece, own.id, own.status, own.nodeId]);
  }
  return manager.update(Message, own, ended);
}

/** None ends in the middle of a character, whose halves would be lost. */
function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const cut = start + LENGTH_A_STATEMENT;
    const end = cut < text.length && isHighSurrogate(text.charCodeAt(cut - 1)) ? cut - 1 : cut;
    yield text.slice(start, end);
    start = end;
  }
}

const NO_REASON = { finishReason: null, errorCode: null, errorDetail: null, sources: null };

export function usageColumns({ estimated, ...tokens }: Usage) {
  return { ...tokens, usageEstimated: estimated };
}

function* statements(chunks: UnsavedChunk[]): Generator<UnsavedChunk[]> {
  let rows: UnsavedChunk[] = [];
  let length = 0;
  for (const chunk of chunks) {
    if (
      rows.length === ROWS_A_STATEMENT ||
      (rows.length > 0 && length + chunk.text.length > LENGTH_A_STATEMENT)
    ) {
      yield rows;
      rows = [];
      length = 0;
    }
    rows.push(chunk);
    length += chunk.text.length;
  }
  if (rows.length > 0) yield rows;
}
