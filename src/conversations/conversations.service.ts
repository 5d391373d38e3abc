import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, LessThan, Repository } from 'typeorm';
import { NotFoundError } from '../common/errors/errors.js';
import { foldText } from '../common/text/fold-text.js';
import { usableBy } from '../configs/config-rows.js';
import { unknownConfigId } from '../configs/configs.errors.js';
import { ModelConfig } from '../configs/model-config.entity.js';
import { RawEntityQuery } from '../database/raw-entity-query.js';
import { retryContention, transaction } from '../database/retry.js';
import { FileSweep } from '../files/file-sweep.service.js';
import { expireFilesOf } from '../files/unused-files.js';
import { EventHub } from '../events/event-hub.js';
import { EventType, ParleyEvent } from '../events/parley-event.js';
import {
  ConversationDto,
  ConversationPageDto,
  CreateConversationDto,
  UpdateConversationDto,
} from './conversation.dto.js';
import { changesTo, type ConversationChanges } from './conversation-changes.js';
import { countConversations, setArchived } from './conversation-counts.js';
import { Conversation } from './conversation.entity.js';
import { MessagesService, PageOptions } from './messages/messages.service.js';
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
    private readonly files: FileSweep,
  ) {
    this.conversations = database.getRepository(Conversation);
    this.rows = new RawEntityQuery(database, Conversation, 'c');
  }

  /** Another user's conversation is reported as missing, so that ids cannot be probed. */
  async getOwned(userId: number, id: number): Promise<Conversation> {
    const conversation = await this.rows.findOne(this.database.manager, OWNED, [id, userId]);
    if (!conversation) throw new NotFoundError('conversation');
    return conversation;
  }

  /** Reads a page of the active branch: the newest messages, or those before a message. */
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
      // Before the insert: its foreign key locks the user's row shared, and two such locks would block both counts.
      await countConversations(manager, userId, { archived: false, by: 1 });
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

  /** Stores a generated title, unless the conversation has another one by now. */
  async setAutoTitle(userId: number, id: number, title: string): Promise<void> {
    const { affected } = await retryContention(() =>
      this.conversations.update(
        { id, userId, titleSource: 'default' },
        { title, titleKey: foldText(title), titleSource: 'auto' },
      ),
    );
    if (affected) this.announce('conversation.updated', await this.getOwned(userId, id));
  }

  /**
   * Stop the running reply first; that also deletes its chunks.
   * @param before deletes the conversation only if its last message is older
   * @throws {NotFoundError}
   */
  async delete(userId: number, id: number, before?: Date): Promise<void> {
    const deletionBegan = new Date();
    await transaction(this.database, async (manager) => {
      // Locks the row, so that no send adds files meanwhile.
      await manager.update(Conversation, { id, userId }, { userId });
      await expireFilesOf(manager, id);
      await this.searchIndex.tombstone(manager, userId, id);
      for (const archived of [false, true]) {
        const where = { id, userId, archived, ...(before && { updatedAt: LessThan(before) }) };
        const { affected } = await manager.delete(Conversation, where);
        if (affected) return countConversations(manager, userId, { archived, by: -1 });
      }
      throw new NotFoundError('conversation');
    });
    this.events.publish(userId, new ParleyEvent('conversation.deleted', { conversation_id: id }));
    void this.files.run();
    this.searchIndex.requestRebuild(userId, deletionBegan);
  }

  /** Updates only the changed columns: save() would overwrite what a running reply has written meanwhile. */
  private async change(
    userId: number,
    id: number,
    { archived, ...changes }: ConversationChanges,
  ): Promise<void> {
    await transaction(this.database, async (manager) => {
      if (archived !== undefined) await setArchived(manager, userId, id, archived);
      if (Object.keys(changes).length > 0) await manager.update(Conversation, { id, userId }, changes);
    });
  }

  private async refuseForeignConfig(userId: number, configId: number | null | undefined): Promise<void> {
    if (configId === undefined || configId === null) return;
    if (await this.conversations.manager.existsBy(ModelConfig, usableBy(userId, configId))) return;
    throw unknownConfigId();
  }

  private announce(type: EventType, conversation: Conversation): ConversationDto {
    const dto = ConversationDto.from(conversation);
    this.events.publish(conversation.userId, new ParleyEvent(type, { conversation: dto }));
    return dto;
  }
}
