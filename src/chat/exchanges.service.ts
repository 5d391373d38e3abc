import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager } from 'typeorm';
import { ConflictError, NotFoundError } from '../common/errors.js';
import { Conversation } from '../conversations/conversation.entity.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import { MessageDto } from '../conversations/message.dto.js';
import { Message } from '../conversations/message.entity.js';
import { EntityReader } from '../database/entity-reader.js';
import { isDuplicateKey, transaction } from '../database/retry.js';
import { Branches } from './branches.js';
import { titleFromText } from './titles.js';

/** What a user asks for: a message after the active branch's end, an edited one, or another reply to the same. */
export type Ask =
  | { kind: 'send'; content: string; clientMessageId: string | null }
  | { kind: 'edit'; messageId: number; content: string; clientMessageId: string | null }
  | { kind: 'regenerate'; messageId: number };

export interface ReplyOrigin {
  nodeId: string;
  configId: number | null;
  modelName: string;
}

export interface Exchange {
  userMessage: MessageDto;
  assistantMessage: MessageDto;
  /** Whether this call made it; false where the same send had made it before. */
  fresh: boolean;
  /** As the exchange left it; null where it was made before. */
  conversation: Conversation | null;
}

/** How often a send is tried again whose conflict is gone when it is looked for. */
const ATTEMPTS = 5;

/**
 * Makes exchanges (a user's message and its reply) in the database, whose unique keys are what guarantees that a
 * client_message_id makes one message, and that one reply runs in a conversation.
 */
@Injectable()
export class ExchangesService {
  private readonly rows: EntityReader<Message>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly conversations: ConversationsService,
  ) {
    this.rows = new EntityReader(database, Message, 'm');
  }

  /** @returns what an earlier send with the same id made, or null */
  async findRepeat(conversationId: number, ask: Ask): Promise<Exchange | null> {
    if (ask.kind === 'regenerate' || ask.clientMessageId === null) return null;
    const { manager } = this.database;
    const sameId = 'WHERE m.conversation_id = ? AND m.client_message_id = ?';
    const message = await this.rows.findOne(manager, sameId, [conversationId, ask.clientMessageId]);
    if (!message) return null;
    if (message.content !== ask.content) {
      throw new ConflictError(
        'client_message_id_reused',
        'This client_message_id was used with other content.',
      );
    }
    const reply = await manager.findOneOrFail(Message, {
      where: { conversationId, parentId: message.id },
      order: { id: 'ASC' },
    });
    const siblings = await siblingIds(manager, [message, reply]);
    return exchange(message, reply, siblings, null);
  }

  /**
   * @throws {ConflictError} `reply_in_progress`, `wrong_role`
   * @throws {NotFoundError}
   */
  async begin(userId: number, conversationId: number, ask: Ask, origin: ReplyOrigin): Promise<Exchange> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await transaction(this.database, (manager) =>
          new Beginning(manager, this.conversations, userId, conversationId, ask, origin).run(),
        );
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const repeat = await this.findRepeat(conversationId, ask);
        if (repeat) return repeat;
        await refuseWhileRunning(this.database.manager, conversationId);
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Makes the branch that a message is on the active one. @throws {ConflictError} `reply_in_progress` */
  async activate(userId: number, conversationId: number, messageId: number): Promise<Conversation> {
    return transaction(this.database, async (manager) => {
      const conversation = await this.conversations.lock(manager, userId, conversationId);
      await refuseWhileRunning(manager, conversationId);
      await getMessage(manager, conversationId, messageId);
      const branches = new Branches(manager, conversationId);
      const activeMessageId = await branches.newestBelow(messageId);
      await branches.endAt(activeMessageId);
      await manager.update(Conversation, { id: conversationId }, { activeMessageId });
      return Object.assign(conversation, { activeMessageId });
    });
  }
}

export function replyInProgress(messageId: number): ConflictError {
  return new ConflictError('reply_in_progress', 'A reply is running in this conversation.', {
    assistant_message_id: messageId,
  });
}

async function refuseWhileRunning(manager: EntityManager, conversationId: number): Promise<void> {
  const running = await manager.findOne(Message, {
    select: { id: true },
    where: { streamingIn: conversationId },
  });
  if (running) throw replyInProgress(running.id);
}

/** One transaction that begins an exchange. */
class Beginning {
  private readonly now = new Date();

  constructor(
    private readonly manager: EntityManager,
    private readonly conversations: ConversationsService,
    private readonly userId: number,
    private readonly conversationId: number,
    private readonly ask: Ask,
    private readonly origin: ReplyOrigin,
  ) {}

  async run(): Promise<Exchange> {
    // Its row lock makes the conversation's writers take turns.
    const conversation = await this.conversations.lock(this.manager, this.userId, this.conversationId);
    const message = await this.userMessage(conversation);
    const reply = await this.insert(this.reply(message.id));
    await this.moveOn(conversation, message, reply);
    const alone = this.ask.kind === 'send' ? [] : [message, reply];
    return exchange(message, reply, await siblingIds(this.manager, alone), conversation);
  }

  private async userMessage(conversation: Conversation): Promise<Message> {
    const { ask } = this;
    if (ask.kind === 'send') return this.insert(this.message(conversation.activeMessageId, ask));
    const target = await getMessage(this.manager, this.conversationId, ask.messageId);
    if (target.role !== (ask.kind === 'edit' ? 'user' : 'assistant')) throw wrongRole(ask.kind);
    if (target.status === 'streaming') throw replyInProgress(target.id);
    await new Branches(this.manager, this.conversationId).endAt(target.parentId);
    if (ask.kind === 'edit') return this.insert(this.message(target.parentId, ask));
    return getMessage(this.manager, this.conversationId, target.parentId!);
  }

  private message(parentId: number | null, ask: { content: string; clientMessageId: string | null }) {
    return {
      parentId,
      role: 'user' as const,
      content: ask.content,
      status: 'complete' as const,
      clientMessageId: ask.clientMessageId,
      completedAt: this.now,
    };
  }

  private reply(parentId: number) {
    return {
      parentId,
      role: 'assistant' as const,
      content: '',
      status: 'streaming' as const,
      streamingIn: this.conversationId,
      ...this.origin,
    };
  }

  private async insert(values: Partial<Message>): Promise<Message> {
    const row = {
      conversationId: this.conversationId,
      userId: this.userId,
      active: true,
      reasoning: '',
      attempt: 1,
      createdAt: this.now,
      ...values,
    };
    const message = this.manager.create(Message, { ...EMPTY, ...row });
    await this.manager.insert(Message, message as object);
    return message;
  }

  private async moveOn(conversation: Conversation, message: Message, reply: Message): Promise<void> {
    const added = this.ask.kind === 'regenerate' ? 1 : 2;
    const first = message.parentId === null && conversation.titleSource === 'default';
    Object.assign(conversation, {
      activeMessageId: reply.id,
      messageCount: conversation.messageCount + added,
      updatedAt: this.now,
      ...(first && { title: titleFromText(message.content) }),
    });
    const { activeMessageId, messageCount, updatedAt, title } = conversation;
    await this.manager.update(
      Conversation,
      { id: conversation.id },
      { activeMessageId, messageCount, updatedAt, title },
    );
  }
}

const EMPTY = {
  streamingIn: null,
  nodeId: null,
  finishReason: null,
  errorCode: null,
  errorDetail: null,
  configId: null,
  modelName: null,
  promptTokens: null,
  completionTokens: null,
  totalTokens: null,
  usageEstimated: null,
  clientMessageId: null,
  completedAt: null,
};

function wrongRole(kind: 'edit' | 'regenerate'): ConflictError {
  const detail = kind === 'edit' ? 'Only a user message can be edited.' : 'Only a reply can be regenerated.';
  return new ConflictError('wrong_role', detail);
}

async function getMessage(manager: EntityManager, conversationId: number, id: number): Promise<Message> {
  const message = await manager.findOneBy(Message, { id, conversationId });
  if (!message) throw new NotFoundError('message');
  return message;
}

/** The ids of each message's siblings, itself included, ascending. */
async function siblingIds(manager: EntityManager, messages: Message[]): Promise<Map<number, number[]>> {
  const siblings = new Map<number, number[]>();
  for (const { id, conversationId, parentId } of messages) {
    const rows = await manager
      .createQueryBuilder(Message, 'm')
      .select('m.id', 'id')
      .where('m.conversation_id = :conversationId', { conversationId })
      .andWhere(parentId === null ? 'm.parent_id IS NULL' : 'm.parent_id = :parentId', { parentId })
      .orderBy('m.id')
      .getRawMany<{ id: number | string }>();
    siblings.set(
      id,
      rows.map((row) => Number(row.id)),
    );
  }
  return siblings;
}

function exchange(
  message: Message,
  reply: Message,
  siblings: Map<number, number[]>,
  conversation: Conversation | null,
): Exchange {
  const dto = (entity: Message) => MessageDto.from(entity, siblings.get(entity.id) ?? [entity.id]);
  return {
    userMessage: dto(message),
    assistantMessage: dto(reply),
    fresh: conversation !== null,
    conversation,
  };
}
