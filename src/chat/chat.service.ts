import { Injectable } from '@nestjs/common';
import { ConflictError, NotFoundError } from '../common/errors/errors.js';
import { publishMeasurement } from '../common/logging/measurements.js';
import { toProblemError } from '../common/errors/problem.js';
import type { ResolvedConfig } from '../configs/configs.service.js';
import type { Conversation } from '../conversations/conversation.entity.js';
import { ConversationsService } from '../conversations/conversations.service.js';
import type { MessageDto } from '../conversations/messages/message.dto.js';
import { EventHub } from '../events/event-hub.js';
import { ReplyQuota } from './turns/reply-quota.js';
import { PendingTurns } from './turns/pending-turns.js';
import { conversationUpdated, messageCreated } from './events/chat.events.js';
import { EditMessageDto, RegenerateDto, SendMessageDto } from './chat.dto.js';
import type { TurnRequest, Turn, Written } from './turns/turn.js';
import { TurnsService } from './turns/turns.service.js';
import type { ActiveReply } from './replies/active-reply.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyStopper } from './replies/reply-stopper.js';
import { type ReplyRun, ReplyRunFactory } from './replies/reply-run-factory.js';

/** What every transport asks for: messages to be answered, edited, answered again. The reply runs on its own. */
@Injectable()
export class ChatService {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly turns: TurnsService,
    private readonly runs: ReplyRunFactory,
    private readonly engine: ReplyEngine,
    private readonly stopper: ReplyStopper,
    private readonly quota: ReplyQuota,
    private readonly pendingTurns: PendingTurns,
    private readonly hub: EventHub,
  ) {}

  /** Stores the message and begins its reply; a repeat of an earlier send gets what that made. */
  send(userId: number, conversationId: number, dto: SendMessageDto): Promise<Turn> {
    return this.ask(userId, conversationId, { kind: 'send', ...written(dto) }, dto.config_id);
  }

  /** Asks for another reply to the same user message; it becomes the active one. */
  regenerate(userId: number, conversationId: number, messageId: number, dto: RegenerateDto): Promise<Turn> {
    return this.ask(userId, conversationId, { kind: 'regenerate', messageId }, dto.config_id);
  }

  /** Adds a changed user message beside the old one, and its reply; they become the active branch. */
  edit(userId: number, conversationId: number, messageId: number, dto: EditMessageDto): Promise<Turn> {
    return this.ask(userId, conversationId, { kind: 'edit', messageId, ...written(dto) });
  }

  async activate(userId: number, conversationId: number, messageId: number): Promise<void> {
    await this.conversations.getOwned(userId, conversationId);
    const conversation = await this.turns.activate(userId, conversationId, messageId);
    this.hub.publish(userId, conversationUpdated(conversation));
  }

  /** @throws {ConflictError} `no_reply_running` */
  async stop(userId: number, conversationId: number): Promise<MessageDto> {
    await this.conversations.getOwned(userId, conversationId);
    const message = await this.stopper.stopIn(conversationId);
    if (!message) throw new ConflictError('no_reply_running', 'No reply is running in this conversation.');
    return message;
  }

  private ask(userId: number, conversationId: number, ask: TurnRequest, configId?: number): Promise<Turn> {
    return this.answer(userId, conversationId, ask, configId).catch((error: unknown) => {
      publishMeasurement('send.refused', { code: toProblemError(error).code });
      throw error;
    });
  }

  /** A repeat is looked for first: it costs nothing and is refused for nothing. */
  private async answer(
    userId: number,
    conversationId: number,
    ask: TurnRequest,
    configId?: number,
  ): Promise<Turn> {
    const owned = this.conversations.getOwned(userId, conversationId);
    const config = this.runs.resolve(userId, conversationId, configId);
    // It is read meanwhile; what is wrong with it is told after whatever else is.
    config.catch(() => undefined);
    const conversation = await owned;
    const clientMessageId = ask.kind === 'regenerate' ? null : ask.clientMessageId;
    for (;;) {
      const repeat = await this.turns.findRepeat(conversationId, ask);
      if (repeat) return repeat;
      const first = this.pendingTurns.findRepeated(conversationId, clientMessageId);
      if (!first) break;
      await first;
    }
    return this.pendingTurns.track(conversationId, clientMessageId, () =>
      this.admit(conversation, ask, config),
    );
  }

  /** What is refused, or turns out to be a repeat, is not held against the user. */
  private async admit(
    conversation: Conversation,
    ask: TurnRequest,
    config: Promise<ResolvedConfig>,
  ): Promise<Turn> {
    const place = await this.quota.acquire(conversation.userId);
    try {
      const { exchange, reply } = await this.begin(conversation, ask, await config);
      if (reply) void reply.ended.finally(() => place.release());
      else place.refund();
      return exchange;
    } catch (error) {
      place.refund();
      throw error;
    }
  }

  private async begin(
    conversation: Conversation,
    ask: TurnRequest,
    config: ResolvedConfig,
  ): Promise<{ exchange: Turn; reply?: ActiveReply }> {
    const { id, userId } = conversation;
    const { nodeId } = this.engine;
    const origin = { nodeId, configId: config.configId, modelName: config.provider.modelName };
    const deletion = new DeletionWatch(this.hub, userId, id);
    const exchange = await this.turns
      .begin({ userId, conversationId: id, request: ask, origin })
      .finally(() => deletion.end());
    if (!exchange.conversation) return { exchange };
    if (deletion.seen) throw new NotFoundError('conversation');
    const run = this.runs.create(exchange.conversation, exchange.userMessage, config);
    return { exchange, reply: this.start(exchange, exchange.conversation, run, ask) };
  }

  private start(
    { userMessage, assistantMessage }: Turn,
    conversation: Conversation,
    run: ReplyRun,
    ask: TurnRequest,
  ): ActiveReply {
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
