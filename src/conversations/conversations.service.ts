import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager, type QueryDeepPartialEntity, Repository } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { NotFoundError, ValidationFailedError } from '../common/errors/errors.js';
import { foldText } from '../common/text/fold-text.js';
import { ModelConfig } from '../configs/model-config.entity.js';
import { RawEntityQuery } from '../database/raw-entity-query.js';
import { retryContention, transaction } from '../database/retry.js';
import { EventHub } from '../events/event-hub.js';
import { EventType, ParleyEvent } from '../events/parley-event.js';
import { ConversationList } from './conversation-list.service.js';
import {
  ConversationDto,
  ConversationListDto,
  ConversationPageDto,
  CreateConversationDto,
  UpdateConversationDto,
} from './conversation.dto.js';
import { Conversation } from './conversation.entity.js';
import { MessagesService, PageOptions } from './messages/messages.service.js';
import type { ListConversationsQuery } from './query.dto.js';
import { SearchIndex } from './search/index/search-index.js';

const DEFAULT_TITLE = 'New conversation';
const OWNED = 'WHERE c.id = ? AND c.user_id = ?';

@Injectable()
export class ConversationsService {
  private readonly conversations: Repository<Conversation>;
  private readonly rows: RawEntityQuery<Conversation>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly messages: MessagesService,
    private readonly events: EventHub,
    private readonly searchIndex: SearchIndex,
    private readonly lists: ConversationList,
  ) {
    this.conversations = database.getRepository(Conversation);
    this.rows = new RawEntityQuery(database, Conversation, 'c');
  }

  list(user: User, query: ListConversationsQuery): Promise<ConversationListDto> {
    return this.lists.list(user, query);
  }

  /** Another user's conversation is reported as missing, so that ids cannot be probed. */
  async getOwned(userId: number, id: number): Promise<Conversation> {
    const conversation = await this.rows.findOne(this.database.manager, OWNED, [id, userId]);
    if (!conversation) throw new NotFoundError('conversation');
    return conversation;
  }

  /** The newest page of the active branch, or the one before a message. */
  async getPage(userId: number, id: number, options: PageOptions): Promise<ConversationPageDto> {
    const conversation = await this.getOwned(userId, id);
    const { messages, hasMore } = await this.messages.getPage(id, options);
    return ConversationPageDto.of(conversation, messages, hasMore);
  }

  async create(userId: number, dto: CreateConversationDto): Promise<ConversationDto> {
    await this.refuseForeignConfig(userId, dto.config_id);
    const now = new Date();
    const title = dto.title ?? DEFAULT_TITLE;
    const conversation = this.conversations.create({
      userId,
      title,
      titleKey: foldText(title),
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
    });
    await transaction(this.database, async (manager) => {
      // First, as the new row refers to the user's, and two that refer to it would each keep the other from counting.
      await count(manager, userId, { archived: false, by: 1 });
      await manager.save(conversation);
    });
    return this.announce('conversation.created', conversation);
  }

  async update(userId: number, id: number, dto: UpdateConversationDto): Promise<ConversationDto> {
    const conversation = await this.getOwned(userId, id);
    await this.refuseForeignConfig(userId, dto.config_id);
    const changes = changesTo(conversation, dto);
    if (!changes) return ConversationDto.from(conversation);
    await this.change(userId, id, changes);
    return this.announce('conversation.updated', await this.getOwned(userId, id));
  }

  /** Gives a conversation the title that a model made, unless it has one from its user by now. */
  async setAutoTitle(userId: number, id: number, title: string): Promise<void> {
    const { affected } = await retryContention(() =>
      this.conversations.update(
        { id, userId, titleSource: 'default' },
        { title, titleKey: foldText(title), titleSource: 'auto' },
      ),
    );
    if (affected) this.announce('conversation.updated', await this.getOwned(userId, id));
  }

  /** A reply that runs in it has to be stopped first, which also takes its chunks away. */
  async delete(userId: number, id: number): Promise<void> {
    const began = new Date();
    await transaction(this.database, async (manager) => {
      await this.searchIndex.tombstone(manager, userId, id);
      for (const archived of [false, true]) {
        const { affected } = await manager.delete(Conversation, { id, userId, archived });
        if (affected) return count(manager, userId, { archived, by: -1 });
      }
      throw new NotFoundError('conversation');
    });
    this.events.publish(userId, new ParleyEvent('conversation.deleted', { conversation_id: id }));
    this.searchIndex.requestRebuild(userId, began);
  }

  /** Not by save(), which would write back what a running reply has changed since. */
  private async change(userId: number, id: number, { archived, ...changes }: Changes): Promise<void> {
    await transaction(this.database, async (manager) => {
      if (archived !== undefined) await archive(manager, userId, id, archived);
      if (!isEmpty(changes)) await manager.update(Conversation, { id, userId }, changes);
    });
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

/** Keeps the counts of a user's conversations, in the transaction that changes how many there are. */
async function count(
  manager: EntityManager,
  userId: number,
  { archived, by }: { archived: boolean; by: number },
): Promise<void> {
  await manager.increment(User, { id: userId }, archived ? 'archivedCount' : 'conversationCount', by);
}

async function archive(manager: EntityManager, userId: number, id: number, archived: boolean): Promise<void> {
  const { affected } = await manager.update(Conversation, { id, userId, archived: !archived }, { archived });
  if (!affected) return;
  await count(manager, userId, { archived, by: 1 });
  await count(manager, userId, { archived: !archived, by: -1 });
}

type Changes = QueryDeepPartialEntity<Conversation> & { archived?: boolean };

/** Null where nothing would differ. None of this is activity: `updated_at` stays as it is. */
function changesTo(conversation: Conversation, dto: UpdateConversationDto): Changes | null {
  const changes = differing(conversation, {
    title: dto.title,
    titleSource: dto.title === undefined ? undefined : 'user',
    titleKey: dto.title === undefined ? undefined : foldText(dto.title),
    configId: dto.config_id,
    systemPrompt: dto.system_prompt,
    params: dto.params && { ...dto.params },
    pinned: dto.pinned,
    archived: dto.archived,
  });
  // TypeORM's type has no room for JSON in a column.
  return isEmpty(changes) ? null : (changes as Changes);
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
