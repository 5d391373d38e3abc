import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type QueryDeepPartialEntity, Repository, SelectQueryBuilder } from 'typeorm';
import { NotFoundError, ValidationFailedError } from '../common/errors.js';
import { ModelConfig } from '../configs/model-config.entity.js';
import { retryContention } from '../database/retry.js';
import { EventHub, EventType, ParleyEvent } from '../events/event-hub.js';
import {
  ConversationDto,
  ConversationListDto,
  ConversationPageDto,
  CreateConversationDto,
  UpdateConversationDto,
} from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { Message } from './message.entity.js';
import { MessagesService, PageOptions } from './messages.service.js';
import type { ListConversationsQuery } from './query.dto.js';

const DEFAULT_TITLE = 'New conversation';

@Injectable()
export class ConversationsService {
  constructor(
    @InjectRepository(Conversation) private readonly conversations: Repository<Conversation>,
    private readonly messages: MessagesService,
    private readonly events: EventHub,
  ) {}

  async list(userId: number, query: ListConversationsQuery): Promise<ConversationListDto> {
    const { limit, offset } = query;
    const [conversations, total] = await Promise.all([
      this.queryList(userId, query).getMany(),
      this.queryMatching(userId, query).getCount(),
    ]);
    return { conversations: conversations.map(ConversationDto.from), total, limit, offset };
  }

  /** Reads ix_conversations_list backwards, so that nothing is sorted. */
  queryList(userId: number, query: ListConversationsQuery): SelectQueryBuilder<Conversation> {
    return this.queryMatching(userId, query)
      .orderBy('conversation.pinned', 'DESC')
      .addOrderBy('conversation.updatedAt', 'DESC')
      .addOrderBy('conversation.id', 'DESC')
      .limit(query.limit)
      .offset(query.offset);
  }

  /** Another user's conversation is reported as missing, so that ids cannot be probed. */
  async getOwned(userId: number, id: number): Promise<Conversation> {
    const conversation = await this.conversations.findOneBy({ id, userId });
    if (!conversation) throw new NotFoundError('conversation');
    return conversation;
  }

  /** The newest page of the active branch, or the one before a message. */
  async getPage(userId: number, id: number, options: PageOptions): Promise<ConversationPageDto> {
    const conversation = await this.getOwned(userId, id);
    const { messages, hasMore } = await this.messages.getPage(id, options);
    return ConversationPageDto.of(conversation, messages, hasMore);
  }

  /** The ids of all messages in a message's place, itself included, ascending. */
  siblingIds(message: Message): Promise<number[]> {
    return this.messages.siblingIds(message);
  }

  async create(userId: number, dto: CreateConversationDto): Promise<ConversationDto> {
    await this.refuseForeignConfig(userId, dto.config_id);
    const now = new Date();
    const conversation = await this.conversations.save(
      this.conversations.create({
        userId,
        title: dto.title ?? DEFAULT_TITLE,
        titleSource: dto.title === undefined ? 'default' : 'user',
        configId: dto.config_id ?? null,
        systemPrompt: dto.system_prompt ?? null,
        params: { ...dto.params },
        pinned: false,
        archived: false,
        messageCount: 0,
        activeMessageId: null,
        createdAt: now,
        updatedAt: now,
      }),
    );
    return this.announce('conversation.created', conversation);
  }

  async update(userId: number, id: number, dto: UpdateConversationDto): Promise<ConversationDto> {
    const conversation = await this.getOwned(userId, id);
    await this.refuseForeignConfig(userId, dto.config_id);
    const changes = changesTo(conversation, dto);
    if (!changes) return ConversationDto.from(conversation);
    // Not save(), which would write back what a running reply has changed since.
    await retryContention(() => this.conversations.update({ id, userId }, changes));
    return this.announce('conversation.updated', await this.getOwned(userId, id));
  }

  /** Gives a conversation the title that a model made, unless it has one from its user by now. */
  async setAutoTitle(userId: number, id: number, title: string): Promise<void> {
    const { affected } = await retryContention(() =>
      this.conversations.update({ id, userId, titleSource: 'default' }, { title, titleSource: 'auto' }),
    );
    if (affected) this.announce('conversation.updated', await this.getOwned(userId, id));
  }

  /** A reply that runs in it has to be stopped first, which also takes its chunks away. */
  async delete(userId: number, id: number): Promise<void> {
    const { affected } = await retryContention(() => this.conversations.delete({ id, userId }));
    if (!affected) throw new NotFoundError('conversation');
    this.events.publish(userId, new ParleyEvent('conversation.deleted', { conversation_id: id }));
  }

  private queryMatching(userId: number, query: ListConversationsQuery): SelectQueryBuilder<Conversation> {
    const { archived = false, q } = query;
    const matching = this.conversations
      .createQueryBuilder('conversation')
      .where('conversation.userId = :userId', { userId })
      .andWhere('conversation.archived = :archived', { archived });
    return q === undefined
      ? matching
      : matching.andWhere('INSTR(LOWER(conversation.title), LOWER(:q)) > 0', { q });
  }

  private async refuseForeignConfig(userId: number, configId: number | null | undefined): Promise<void> {
    if (configId === undefined || configId === null) return;
    if (await this.conversations.manager.existsBy(ModelConfig, { id: configId, userId })) return;
    const message = 'Must be one of your configurations.';
    throw new ValidationFailedError([{ field: 'config_id', message }]);
  }

  private announce(type: EventType, conversation: Conversation): ConversationDto {
    const dto = ConversationDto.from(conversation);
    this.events.publish(conversation.userId, new ParleyEvent(type, { conversation: dto }));
    return dto;
  }
}

/** Null where nothing would differ. What only sorts conversations away is no activity. */
function changesTo(
  conversation: Conversation,
  dto: UpdateConversationDto,
): QueryDeepPartialEntity<Conversation> | null {
  const content = differing(conversation, {
    title: dto.title,
    titleSource: dto.title === undefined ? undefined : 'user',
    configId: dto.config_id,
    systemPrompt: dto.system_prompt,
    params: dto.params && { ...dto.params },
  });
  const place = differing(conversation, { pinned: dto.pinned, archived: dto.archived });
  if (isEmpty(content) && isEmpty(place)) return null;
  // TypeORM's type has no room for JSON in a column.
  return {
    ...content,
    ...place,
    ...(!isEmpty(content) && { updatedAt: new Date() }),
  } as QueryDeepPartialEntity<Conversation>;
}

function differing(conversation: Conversation, wanted: Partial<Conversation>): Partial<Conversation> {
  const entries = Object.entries(wanted).filter(([name, value]) => {
    const current = conversation[name as keyof Conversation];
    return value !== undefined && JSON.stringify(value) !== JSON.stringify(current);
  });
  return Object.fromEntries(entries);
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
