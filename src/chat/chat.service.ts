import { Injectable } from '@nestjs/common';
import { ConflictError } from '../common/errors.js';
import type { Conversation } from '../conversations/conversation.entity.js';
import { ConversationDto } from '../conversations/conversation.dto.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import type { MessageDto } from '../conversations/message.dto.js';
import { EventHub, ParleyEvent } from '../events/event-hub.js';
import { Admission } from './admission.js';
import { messageCreated } from './chat.events.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from './chat.dto.js';
import { Ask, Exchange, ExchangesService } from './exchanges.service.js';
import { ReplyEngine } from './reply-engine.js';
import { ReplyRunsService } from './reply-runs.service.js';

/** What every face asks for: messages to be answered, edited, answered again. The reply runs on its own. */
@Injectable()
export class ChatService {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly exchanges: ExchangesService,
    private readonly runs: ReplyRunsService,
    private readonly engine: ReplyEngine,
    private readonly admission: Admission,
    private readonly hub: EventHub,
  ) {}

  /** Stores the message and begins its reply; a repeat of an earlier send gets what that made. */
  send(userId: number, conversationId: number, dto: SendMessageDto): Promise<Exchange> {
    return this.ask(userId, conversationId, { kind: 'send', ...written(dto) }, dto.config_id);
  }

  /** Asks for another reply to the same user message; it becomes the active one. */
  regenerate(
    userId: number,
    conversationId: number,
    messageId: number,
    dto: RegenerateDto,
  ): Promise<Exchange> {
    return this.ask(userId, conversationId, { kind: 'regenerate', messageId }, dto.config_id);
  }

  /** Adds a changed user message beside the old one, and its reply; they become the active branch. */
  edit(userId: number, conversationId: number, messageId: number, dto: EditMessageDto): Promise<Exchange> {
    return this.ask(userId, conversationId, { kind: 'edit', messageId, ...written(dto) });
  }

  async activate(userId: number, conversationId: number, messageId: number): Promise<void> {
    await this.conversations.getOwned(userId, conversationId);
    this.publishConversation(await this.exchanges.activate(userId, conversationId, messageId));
  }

  /** @throws {ConflictError} `no_reply_running` */
  async stop(userId: number, conversationId: number): Promise<MessageDto> {
    await this.conversations.getOwned(userId, conversationId);
    const message = await this.engine.stopIn(conversationId);
    if (!message) throw new ConflictError('no_reply_running', 'No reply is running in this conversation.');
    return message;
  }

  private async ask(userId: number, conversationId: number, ask: Ask, configId?: number): Promise<Exchange> {
    const conversation = await this.conversations.getOwned(userId, conversationId);
    const repeat = await this.exchanges.findRepeat(conversationId, ask);
    if (repeat) return repeat;
    const place = await this.admission.admit(userId);
    try {
      const config = await this.runs.resolve(userId, conversation, configId);
      const origin = {
        nodeId: this.engine.nodeId,
        configId: config.configId,
        modelName: config.provider.modelName,
      };
      const exchange = await this.exchanges.begin(userId, conversationId, ask, origin);
      if (!exchange.conversation) place.refund();
      else void this.begin(exchange, exchange.conversation, config, ask).finally(() => place.leave());
      return exchange;
    } catch (error) {
      place.leave();
      throw error;
    }
  }

  private begin(
    { userMessage, assistantMessage }: Exchange,
    conversation: Conversation,
    config: Awaited<ReturnType<ReplyRunsService['resolve']>>,
    ask: Ask,
  ): Promise<unknown> {
    const { userId } = conversation;
    const run = this.runs.create(conversation, userMessage, config);
    const reply = this.engine.start(assistantMessage, userId, 1, run);
    if (ask.kind !== 'regenerate') this.hub.publish(userId, messageCreated(userMessage));
    this.hub.publish(userId, messageCreated(assistantMessage));
    this.publishConversation(conversation);
    return reply.ended;
  }

  private publishConversation(conversation: Conversation): void {
    const body = { conversation: ConversationDto.from(conversation) };
    this.hub.publish(conversation.userId, new ParleyEvent('conversation.updated', { ...body }));
  }
}

function written({ content, client_message_id }: EditMessageDto) {
  return { content, clientMessageId: client_message_id?.toLowerCase() ?? null };
}
