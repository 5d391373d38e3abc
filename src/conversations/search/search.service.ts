import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { foldText } from '../../common/text/fold-text.js';
import { firstFitting, jsonSize, MAX_PAGE_BYTES } from '../../common/json/json-size.js';
import { ConversationDto } from '../conversation.dto.js';
import { Conversation } from '../conversation.entity.js';
import { Message } from '../messages/message.entity.js';
import type { Hit } from './message-matcher.js';
import { MessageSearch } from './message-search.js';
import { MessagesService } from '../messages/messages.service.js';
import type { SearchQuery, SearchResultDto, SearchResultsDto } from '../query.dto.js';

/** Searches titles and messages for folded text, in archived conversations and all branches too. */
@Injectable()
export class SearchService {
  constructor(
    @InjectRepository(Conversation) private readonly conversations: Repository<Conversation>,
    @InjectRepository(Message) private readonly messages: Repository<Message>,
    private readonly messageReader: MessagesService,
    private readonly messageSearch: MessageSearch,
  ) {}

  /**
   * Messages are listed newest first. Titles precede them on the first page and take at most half of it if there are
   * enough messages, so that the page ends with a message to continue from.
   */
  async search(userId: number, query: SearchQuery): Promise<SearchResultsDto> {
    const { q, limit, before_id } = query;
    const hits = await this.messageSearch.find(userId, query);
    const room = Math.max(limit - hits.length, Math.floor(limit / 2));
    const titled = before_id === undefined && room > 0 ? await this.findTitles(userId, q, room) : [];
    const titles = firstFitting(titled.map(titleResult), MAX_PAGE_BYTES / 2);
    const shown = hits.slice(0, limit - titles.length);
    const { results, isCut } = await this.toResults(userId, shown, MAX_PAGE_BYTES - jsonSize(titles));
    return { results: [...titles, ...results], has_more: isCut || hits.length > shown.length };
  }

  private findTitles(userId: number, q: string, limit: number): Promise<Conversation[]> {
    return this.conversations
      .createQueryBuilder('conversation')
      .where('conversation.userId = :userId', { userId })
      .andWhere('INSTR(conversation.titleKey, :key) > 0', { key: foldText(q) })
      .orderBy('conversation.updatedAt', 'DESC')
      .addOrderBy('conversation.id', 'DESC')
      .limit(limit)
      .getMany();
  }

  /** Converts the first hits that fit. */
  private async toResults(
    userId: number,
    hits: Hit[],
    maxBytes: number,
  ): Promise<{ results: SearchResultDto[]; isCut: boolean }> {
    if (hits.length === 0) return { results: [], isCut: false };
    const snippets = new Map(hits.map((hit) => [Number(hit.id), hit.snippet]));
    const query = this.messages
      .createQueryBuilder('message')
      .where('message.id IN (:...ids)', { ids: [...snippets.keys()] })
      .orderBy('message.id', 'DESC');
    const { messages: found, hasMore } = await this.messageReader.readFitting(query, {
      limit: hits.length,
      maxBytes,
    });
    const ids = found.map((message) => message.conversationId);
    const conversations = await this.conversations.findBy({ id: In(ids), userId });
    const byId = new Map(conversations.map((conversation) => [conversation.id, conversation]));
    const results = (await this.messageReader.toDtos(found)).flatMap((message) => {
      const conversation = byId.get(message.conversation_id);
      if (!conversation) return [];
      const snippet = snippets.get(message.id) ?? '';
      return [{ conversation: ConversationDto.from(conversation), message, snippet }];
    });
    const fitting = firstFitting(results, maxBytes);
    return { results: fitting, isCut: hasMore || fitting.length < results.length };
  }
}

function titleResult(conversation: Conversation): SearchResultDto {
  return { conversation: ConversationDto.from(conversation), message: null, snippet: conversation.title };
}
