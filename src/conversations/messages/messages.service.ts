import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Not, Repository, SelectQueryBuilder } from 'typeorm';
import { firstFitting, MAX_PAGE_BYTES } from '../../common/json/json-size.js';
import { MessageFiles } from '../../files/message-files.service.js';
import { MessageDto } from './message.dto.js';
import { Message } from './message.entity.js';
import { ReplyChunk } from './reply-chunk.entity.js';
import { readChunks, readContent } from './stored-text.js';

export interface PageOptions {
  limit: number;
  /** Only messages with a lower id. */
  beforeId?: number;
}

/** Lower bound of the text's size as JSON. */
const TEXT_BYTES = 'OCTET_LENGTH(message.content) + OCTET_LENGTH(message.reasoning)';

const BYTES_PER_READ = 1024 * 1024;

interface SizedRow {
  id: number | string;
  bytes: number | string;
}

/** Siblings have the same parent in the same conversation. */
type SiblingKey = Pick<Message, 'conversationId' | 'parentId'>;

/** Reads messages. Callers have checked their owner. */
@Injectable()
export class MessagesService {
  constructor(
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    @InjectRepository(ReplyChunk) private readonly chunks: Repository<ReplyChunk>,
    private readonly files: MessageFiles,
  ) {}

  /** Reads the newest messages of the active branch, in ascending order. */
  async getPage(
    conversationId: number,
    options: PageOptions,
  ): Promise<{ messages: MessageDto[]; hasMore: boolean }> {
    const { messages, hasMore } = await this.readFitting(this.queryPage(conversationId, options), options);
    return { messages: await this.toDtos(messages.reverse()), hasMore };
  }

  /** Reads the first messages of a query that fit, at least one. Text of the others is not read. */
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

  /** Queries one range of ix_messages_branch, with one row more than the page. */
  queryPage(conversationId: number, { limit, beforeId }: PageOptions): SelectQueryBuilder<Message> {
    const query = this.messages
      .createQueryBuilder('message')
      // MySQL would read the primary key backwards, through all conversations, or sort rows of a shorter index.
      .useIndex('ix_messages_branch')
      .where('message.conversationId = :conversationId', { conversationId })
      .andWhere('message.active = :active', { active: true })
      .orderBy('message.id', 'DESC')
      .limit(limit + 1);
    return beforeId === undefined ? query : query.andWhere('message.id < :beforeId', { beforeId });
  }

  /** Queries a conversation's messages of all branches from an id on, in ascending order. */
  queryFrom(conversationId: number, id: number): SelectQueryBuilder<Message> {
    return this.messages
      .createQueryBuilder('message')
      .useIndex('ix_messages_conversation_id')
      .where('message.conversationId = :conversationId', { conversationId })
      .andWhere('message.id >= :id', { id })
      .orderBy('message.id', 'ASC');
  }

  /** Keeps the order of the rows. Reads in several steps, because SQLite blocks the event loop. */
  private async readByIds(rows: SizedRow[]): Promise<Message[]> {
    const messages = new Map<number, Message>();
    for (let rest = rows; rest.length > 0;) {
      const batch = firstFitting(rest, BYTES_PER_READ, bytesOf);
      const read = await this.messages.findBy({ id: In(batch.map(({ id }) => Number(id))) });
      for (const message of read) messages.set(message.id, message);
      rest = rest.slice(batch.length);
    }
    return rows.flatMap(({ id }) => messages.get(Number(id)) ?? []);
  }

  async toDtos(messages: Message[]): Promise<MessageDto[]> {
    const siblings = await this.findSiblings(messages);
    const complete = await Promise.all(messages.map((message) => this.withText(message)));
    const files = await this.files.findAll(
      messages.filter(({ role }) => role === 'user').map(({ id }) => id),
    );
    return complete.map((message) => {
      const siblingIds = siblings.get(siblingKey(message)) ?? [message.id];
      return MessageDto.from(message, siblingIds, this.files.toDtos(files.get(message.id) ?? []));
    });
  }

  /** @returns an empty text if the message was deleted */
  readContent(id: number): Promise<string> {
    return readContent(this.messages, id);
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
    // Two queries: an OR would read the conversation's whole index.
    for (const sibling of [...(await this.readChildren(replies)), ...(await this.readRoots(roots))]) {
      const ids = siblings.get(siblingKey(sibling));
      if (ids) ids.push(sibling.id);
      else siblings.set(siblingKey(sibling), [sibling.id]);
    }
    for (const ids of siblings.values()) ids.sort((a, b) => a - b);
    return siblings;
  }

  private readChildren(messages: Message[]): Promise<Message[]> {
    return messages.length === 0 ? Promise.resolve([]) : this.queryChildren(messages).getMany();
  }

  /** Queries messages with the same parents as these. */
  queryChildren(messages: Message[]): SelectQueryBuilder<Message> {
    const parentIds = messages.map((message) => message.parentId);
    return this.querySiblings(messages).andWhere('message.parentId IN (:...parentIds)', { parentIds });
  }

  private readRoots(messages: Message[]): Promise<Message[]> {
    if (messages.length === 0) return Promise.resolve([]);
    return this.querySiblings(messages).andWhere('message.parentId IS NULL').getMany();
  }

  /** Unordered: to order by id, SQLite would read the whole conversation along a shorter index. */
  private querySiblings(messages: Message[]): SelectQueryBuilder<Message> {
    const conversationIds = [...new Set(messages.map((message) => message.conversationId))];
    return this.messages
      .createQueryBuilder('message')
      .select(['message.id', 'message.conversationId', 'message.parentId'])
      .where('message.conversationId IN (:...conversationIds)', { conversationIds });
  }

  /** Adds the text of a running reply from its chunks. */
  private async withText(message: Message): Promise<Message> {
    if (message.status !== 'streaming') return message;
    const text = await readChunks(this.chunks, message.id, message.attempt);
    // The reply may have ended or been retried since it was read, and its chunks deleted.
    const now = await this.messages.findOneBy({ id: message.id });
    if (now && now.status !== 'streaming') return Object.assign(message, now);
    return Object.assign(message, text);
  }
}

const bytesOf = ({ bytes }: SizedRow) => Number(bytes);

function siblingKey({ conversationId, parentId }: SiblingKey): string {
  return `${conversationId}/${parentId}`;
}
