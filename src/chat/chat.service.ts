import { Injectable } from '@nestjs/common';
import { ConflictError, NotFoundError } from '../common/errors/errors.js';
import { measure } from '../common/logging/measures.js';
import { toProblemError } from '../common/errors/problem.js';
import type { ResolvedConfig } from '../configs/configs.service.js';
import type { Conversation } from '../conversations/conversation.entity.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import type { MessageDto } from '../conversations/messages/message.dto.js';
import { EventHub } from '../events/event-hub.js';
import { Admission } from './turns/admission.js';
import { Beginnings } from './turns/beginnings.js';
import { conversationUpdated, messageCreated } from './events/chat.events.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from './chat.dto.js';
import type { Ask, Exchange, Written } from './turns/exchange.js';
import { ExchangesService } from './turns/exchanges.service.js';
import type { Reply } from './replies/reply.js';
import { ReplyEngine, type ReplyRun } from './replies/reply-engine.js';
import { ReplyRunsService } from './replies/reply-runs.service.js';

/** What every face asks for: messages to be answered, edited, answered again. The reply runs on its own. */
@Injectable()
export class ChatService {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly exchanges: ExchangesService,
    private readonly runs: ReplyRunsService,
    private readonly engine: ReplyEngine,
    private readonly admission: Admission,
    private readonly beginnings: Beginnings,
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
    const conversation = await this.exchanges.activate(userId, conversationId, messageId);
    this.hub.publish(userId, conversationUpdated(conversation));
  }

  /** @throws {ConflictError} `no_reply_running` */
  async stop(userId: number, conversationId: number): Promise<MessageDto> {
    await this.conversations.getOwned(userId, conversationId);
    const message = await this.engine.stopIn(conversationId);
    if (!message) throw new ConflictError('no_reply_running', 'No reply is running in this conversation.');
    return message;
  }

  private ask(userId: number, conversationId: number, ask: Ask, configId?: number): Promise<Exchange> {
    return this.answer(userId, conversationId, ask, configId).catch((error: unknown) => {
      measure('send.refused', { code: toProblemError(error).code });
      throw error;
    });
  }

  /** A repeat is looked for first: it costs nothing and is refused for nothing. */
  private async answer(
    userId: number,
    conversationId: number,
    ask: Ask,
    configId?: number,
  ): Promise<Exchange> {
    const owned = this.conversations.getOwned(userId, conversationId);
    const config = this.runs.resolve(userId, conversationId, configId);
    // It is read meanwhile; what is wrong with it is told after whatever else is.
    config.catch(() => undefined);
    const conversation = await owned;
    const clientMessageId = ask.kind === 'regenerate' ? null : ask.clientMessageId;
    for (;;) {
      const repeat = await this.exchanges.findRepeat(conversationId, ask);
      if (repeat) return repeat;
      const first = this.beginnings.findRepeated(conversationId, clientMessageId);
      if (!first) break;
      await first;
    }
    return this.beginnings.track(conversationId, clientMessageId, () =>
      this.admit(conversation, ask, config),
    );
  }

  /** What is refused, or turns out to be a repeat, is not held against the user. */
  private async admit(
    conversation: Conversation,
    ask: Ask,
    config: Promise<ResolvedConfig>,
  ): Promise<Exchange> {
    const place = await this.admission.admit(conversation.userId);
    try {
      const { exchange, reply } = await this.begin(conversation, ask, await config);
      if (reply) void reply.ended.finally(() => place.leave());
      else place.refund();
      return exchange;
    } catch (error) {
      place.refund();
      throw error;
    }
  }

  private async begin(
    conversation: Conversation,
    ask: Ask,
    config: ResolvedConfig,
  ): Promise<{ exchange: Exchange; reply?: Reply }> {
    const { id, userId } = conversation;
    const { nodeId } = this.engine;
    const origin = { nodeId, configId: config.configId, modelName: config.provider.modelName };
    const deletion = new DeletionWatch(this.hub, userId, id);
    const exchange = await this.exchanges
      .begin({ userId, conversationId: id, ask, origin })
      .finally(() => deletion.end());
    if (!exchange.conversation) return { exchange };
    if (deletion.seen) throw new NotFoundError('conversation');
    const run = this.runs.create(exchange.conversation, exchange.userMessage, config);
    return { exchange, reply: this.start(exchange, exchange.conversation, run, ask) };
  }

  private start(
    { userMessage, assistantMessage }: Exchange,
    conversation: Conversation,
    run: ReplyRun,
    ask: Ask,
  ): Reply {
    const { userId } = conversation;
    const reply = this.engine.start(assistantMessage, userId, 1, run);
    if (ask.kind !== 'regenerate') this.hub.publish(userId, messageCreated(userMessage));
    this.hub.publish(userId, messageCreated(assistantMessage));
    this.hub.publish(userId, conversationUpdated(conversation));
    return reply;
  }
}

/** Sees a deletion that comes between the storing of an exchange and the start of its reply, which no one would end. */
class DeletionWatch {
  seen = false;
  readonly end: () => void;

  constructor(hub: EventHub, userId: number, id: number) {
    this.end = hub.subscribe(userId, ({ type, conversationId }) => {
      const deleted = type === 'conversation.deleted' && conversationId === id;
      this.seen ||= deleted || type === 'account.deleted';
    });
  }
}

function written({ content, client_message_id: sent }: EditMessageDto): Written {
  const clientMessageId = sent?.toLowerCase() ?? null;
  return {
    content,
    clientMessageId,
    clientMessageSpelling: sent === clientMessageId ? null : sent,
  };
}
