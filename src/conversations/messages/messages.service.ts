import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Not, Repository, SelectQueryBuilder } from 'typeorm';
import { firstFitting, MAX_PAGE_BYTES } from '../../common/json/json-size.js';
import { MessageDto } from './message.dto.js';
import { Message } from './message.entity.js';
import { ReplyChunk, ReplyPart, chunksOf } from './reply-chunk.entity.js';

export interface PageOptions {
  limit: number;
  /** Only messages with a lower id. */
  beforeId?: number;
}

/** No text takes less as JSON. */
const TEXT_BYTES = 'OCTET_LENGTH(message.content) + OCTET_LENGTH(message.reasoning)';

const BYTES_A_READ = 1024 * 1024;

interface SizedRow {
  id: number | string;
  bytes: number | string;
}

type Place = Pick<Message, 'conversationId' | 'parentId'>;

/** Reads messages. It checks no owner: its callers have. */
@Injectable()
export class MessagesService {
  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    @InjectRepository(ReplyChunk) private readonly chunks: Repository<ReplyChunk>,
  ) {}

  /** The newest messages of the active branch, the oldest of them first. */
  async getPage(
    conversationId: number,
    options: PageOptions,
  ): Promise<{ messages: MessageDto[]; hasMore: boolean }> {
    const { messages, hasMore } = await this.readFitting(this.queryPage(conversationId, options), options);
    return { messages: await this.toDtos(messages.reverse()), hasMore };
  }

  /** The first messages of a query, as many as fit and one at least. The text of others is not read. */
  async readFitting(
    query: SelectQueryBuilder<Message>,
    { limit, maxBytes = MAX_PAGE_BYTES }: { limit: number; maxBytes?: number },
  ): Promise<{ messages: Message[]; hasMore: boolean }> {
    const found = await query
      .clone()
      .select('message.id', 'id')
      .addSelect(TEXT_BYTES, 'bytes')
      .limit(limit + 1)
      .getRawMany<SizedRow>();
    const fitting = firstFitting(found.slice(0, limit), maxBytes, bytesOf);
    return { messages: await this.readByIds(fitting), hasMore: found.length > fitting.length };
  }

  /** One range of ix_messages_branch, however long the conversation is; with one row more than the page. */
  queryPage(conversationId: number, { limit, beforeId }: PageOptions): SelectQueryBuilder<Message> {
    const query = this.messages
      .createQueryBuilder('message')
      // MySQL would read the primary key backwards, through all conversations, or sort a shorter index's rows.
      .useIndex('ix_messages_branch')
      .where('message.conversationId = :conversationId', { conversationId })
      .andWhere('message.active = :active', { active: true })
      .orderBy('message.id', 'DESC')
      .limit(limit + 1);
    return beforeId === undefined ? query : query.andWhere('message.id < :beforeId', { beforeId });
  }

  /** A conversation's messages from an id on, those of all branches, the oldest first. */
  queryFrom(conversationId: number, id: number): SelectQueryBuilder<Message> {
    return this.messages
      .createQueryBuilder('message')
      .useIndex('ix_messages_conversation_id')
      .where('message.conversationId = :conversationId', { conversationId })
      .andWhere('message.id >= :id', { id })
      .orderBy('message.id', 'ASC');
  }

  /** In their order, and some at a time, as SQLite reads in this thread. */
  private async readByIds(rows: SizedRow[]): Promise<Message[]> {
    const messages = new Map<number, Message>();
    for (let rest = rows; rest.length > 0;) {
      const some = firstFitting(rest, BYTES_A_READ, bytesOf);
      const read = await this.messages.findBy({ id: In(some.map(({ id }) => Number(id))) });
      for (const message of read) messages.set(message.id, message);
      rest = rest.slice(some.length);
    }
    return rows.flatMap(({ id }) => messages.get(Number(id)) ?? []);
  }

  async toDtos(messages: Message[]): Promise<MessageDto[]> {
    const siblings = await this.findSiblings(messages);
    const whole = await Promise.all(messages.map((message) => this.withText(message)));
    return whole.map((message) => MessageDto.from(message, siblings.get(placeOf(message)) ?? [message.id]));
  }

  /** Of a message that is gone meanwhile, nothing. */
  async readContent(id: number): Promise<string> {
    const message = await this.messages.findOne({ select: { id: true, content: true }, where: { id } });
    return message?.content ?? '';
  }

  /** The ids of all messages in a message's place, itself included, ascending. */
  async siblingIds(message: Message): Promise<number[]> {
    const siblings = await this.findSiblings([message]);
    return siblings.get(placeOf(message)) ?? [message.id];
  }

  hasOtherCompleteReply(conversationId: number, replyId: number): Promise<boolean> {
    return this.messages.existsBy({
      conversationId,
      role: 'assistant',
      status: 'complete',
      id: Not(replyId),
    });
  }

  private async findSiblings(messages: Message[]): Promise<Map<string, number[]>> {
    const replies = messages.filter((message) => message.parentId !== null);
    const roots = messages.filter((message) => message.parentId === null);
    const siblings = new Map<string, number[]>();
    // Two queries, as an OR between them would read all of a conversation's index.
    for (const place of [...(await this.readChildren(replies)), ...(await this.readRoots(roots))]) {
      const ids = siblings.get(placeOf(place));
      if (ids) ids.push(place.id);
      else siblings.set(placeOf(place), [place.id]);
    }
    for (const ids of siblings.values()) ids.sort((a, b) => a - b);
    return siblings;
  }

  private readChildren(messages: Message[]): Promise<Message[]> {
    return messages.length === 0 ? Promise.resolve([]) : this.queryChildren(messages).getMany();
  }

  /** The messages in the same places as these, which follow others. */
  queryChildren(messages: Message[]): SelectQueryBuilder<Message> {
    const parentIds = messages.map((message) => message.parentId);
    return this.queryPlaces(messages).andWhere('message.parentId IN (:...parentIds)', { parentIds });
  }

  private readRoots(messages: Message[]): Promise<Message[]> {
    if (messages.length === 0) return Promise.resolve([]);
    return this.queryPlaces(messages).andWhere('message.parentId IS NULL').getMany();
  }

  /** In no order: for one of ids SQLite would read all of the conversation, by a shorter index. */
  private queryPlaces(messages: Message[]): SelectQueryBuilder<Message> {
    const conversationIds = [...new Set(messages.map((message) => message.conversationId))];
    return this.messages
      .createQueryBuilder('message')
      .select(['message.id', 'message.conversationId', 'message.parentId'])
      .where('message.conversationId IN (:...conversationIds)', { conversationIds });
  }

  /** While a reply runs, its text is in its chunks. */
  private async withText(message: Message): Promise<Message> {
    if (message.status !== 'streaming') return message;
    const chunks = await this.chunks.find({
      where: { messageId: message.id, seq: chunksOf(message.attempt) },
      order: { seq: 'ASC' },
    });
    // It may have ended since it was read, and its chunks gone; its attempt may be another by then too.
    const now = await this.messages.findOneBy({ id: message.id });
    if (now && now.status !== 'streaming') return Object.assign(message, now);
    const text = { content: join(chunks, 'content'), reasoning: join(chunks, 'reasoning') };
    return Object.assign(message, text);
  }
}

const bytesOf = ({ bytes }: SizedRow) => Number(bytes);

function placeOf({ conversationId, parentId }: Place): string {
  return `${conversationId}/${parentId}`;
}

function join(chunks: ReplyChunk[], part: ReplyPart): string {
  return chunks
    .filter((chunk) => chunk.part === part)
    .map((chunk) => chunk.text)
    .join('');
}
