import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository, SelectQueryBuilder } from 'typeorm';
import { ConversationDto } from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { Message } from './message.entity.js';
import { MessagesService } from './messages.service.js';
import type { SearchQuery, SearchResultDto, SearchResultsDto } from './query.dto.js';

const SNIPPET_CHARACTERS = 160;
/** How much of a snippet goes before what was found. */
const LEAD_CHARACTERS = 60;
/** Messages a statement: few, as SQLite's statements hold up the process (this many for some 5 ms). */
const STRETCH_MESSAGES = 5000;

interface Hit {
  id: number | string;
  snippet: string;
}

/**
 * Looks for text, in either case (SQLite folds the case of ASCII alone), in a user's titles and messages, of archived
 * conversations and of all branches too.
 */
@Injectable()
export class SearchService {
  constructor(
    @InjectRepository(Conversation) private readonly conversations: Repository<Conversation>,
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly reader: MessagesService,
  ) {}

  /**
   * Messages come newest first. Before them, on the first page only, come titles; where the messages could fill the
   * page, titles take half of it at most, so that there is a last message to go on from.
   */
  async search(userId: number, query: SearchQuery): Promise<SearchResultsDto> {
    const { q, limit, before_id } = query;
    const hits = await this.findMessages(userId, query);
    const room = Math.max(limit - hits.length, Math.floor(limit / 2));
    const titled = before_id === undefined && room > 0 ? await this.findTitles(userId, q, room) : [];
    const shown = hits.slice(0, limit - titled.length);
    const messages = await this.toResults(userId, shown);
    return { results: [...titled.map(ofTitle), ...messages], has_more: hits.length > shown.length };
  }

  private findTitles(userId: number, q: string, limit: number): Promise<Conversation[]> {
    return this.conversations
      .createQueryBuilder('conversation')
      .where('conversation.userId = :userId', { userId })
      .andWhere('INSTR(LOWER(conversation.title), LOWER(:q)) > 0', { q })
      .orderBy('conversation.updatedAt', 'DESC')
      .addOrderBy('conversation.id', 'DESC')
      .limit(limit)
      .getMany();
  }

  /** One more than the limit, where there are: it reads no further back than it takes to find them. */
  private async findMessages(userId: number, { q, limit, before_id }: SearchQuery): Promise<Hit[]> {
    const hits: Hit[] = [];
    let end = before_id ?? Number.MAX_SAFE_INTEGER;
    while (end > 0 && hits.length <= limit) {
      const start = await this.startOfStretch(userId, end);
      const take = limit + 1 - hits.length;
      hits.push(...(await this.queryStretch(userId, q, { start, end }).limit(take).getRawMany<Hit>()));
      end = start;
    }
    return hits;
  }

  /** @returns the id that a stretch of messages begins with whose last is before `end`; 0 for the first stretch */
  private async startOfStretch(userId: number, end: number): Promise<number> {
    const first = await this.queryOwn(userId)
      .select('message.id', 'id')
      .andWhere('message.id < :end', { end })
      .offset(STRETCH_MESSAGES - 1)
      .limit(1)
      .getRawOne<{ id: number | string }>();
    return Number(first?.id ?? 0);
  }

  /** INSTR and SUBSTR count characters, not code units, on both databases. */
  queryStretch(
    userId: number,
    q: string,
    stretch: { start: number; end: number },
  ): SelectQueryBuilder<Message> {
    const at = 'INSTR(LOWER(message.content), LOWER(:q))';
    const start = `CASE WHEN ${at} > ${LEAD_CHARACTERS} THEN ${at} - ${LEAD_CHARACTERS} ELSE 1 END`;
    return this.queryOwn(userId)
      .select('message.id', 'id')
      .addSelect(`SUBSTR(message.content, ${start}, ${SNIPPET_CHARACTERS})`, 'snippet')
      .andWhere('message.id >= :start AND message.id < :end', stretch)
      .andWhere(`${at} > 0`, { q });
  }

  /** MySQL would read the primary key backwards, through the messages of all users. */
  private queryOwn(userId: number): SelectQueryBuilder<Message> {
    return this.messages
      .createQueryBuilder('message')
      .useIndex('ix_messages_user_id')
      .where('message.userId = :userId', { userId })
      .orderBy('message.id', 'DESC');
  }

  private async toResults(userId: number, hits: Hit[]): Promise<SearchResultDto[]> {
    const snippets = new Map(hits.map((hit) => [Number(hit.id), hit.snippet]));
    const found = await this.messages.find({
      where: { id: In([...snippets.keys()]) },
      order: { id: 'DESC' },
    });
    const ids = found.map((message) => message.conversationId);
    const conversations = await this.conversations.findBy({ id: In(ids), userId });
    const byId = new Map(conversations.map((conversation) => [conversation.id, conversation]));
    return (await this.reader.toDtos(found)).flatMap((message) => {
      const conversation = byId.get(message.conversation_id);
      if (!conversation) return [];
      const snippet = snippets.get(message.id) ?? '';
      return [{ conversation: ConversationDto.from(conversation), message, snippet }];
    });
  }
}

function ofTitle(conversation: Conversation): SearchResultDto {
  return { conversation: ConversationDto.from(conversation), message: null, snippet: conversation.title };
}
