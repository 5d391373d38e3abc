import { Injectable } from '@nestjs/common';
import type { PromptPart } from '../ai/provider/prompt-content.js';
import { NotFoundError } from '../common/errors/errors.js';
import type { ResolvedConfig } from '../configs/configs.service.js';
import type { Conversation } from '../conversations/conversation.entity.js';
import { EventHub } from '../events/event-hub.js';
import { ParleyEvent } from '../events/parley-event.js';
import type { TokenQuota } from '../usage/token-quota.js';
import { conversationUpdated, messageCreated } from './events/chat.events.js';
import type { ActiveReply } from './replies/active-reply.js';
import { ReplyEngine } from './replies/reply-engine.js';
import { ReplyRunFactory } from './replies/reply-run-factory.js';
import { ReplyQuota } from './turns/reply-quota.js';
import type { StartTurn, Turn, TurnRequest } from './turns/turn.js';
import { TurnsService } from './turns/turns.service.js';

/** Start of a turn whose configuration is not resolved yet. */
type TurnBasis = Omit<StartTurn, 'origin' | 'quota'>;

interface PreparedTurn {
  config: ResolvedConfig;
  /** Its message's files. */
  prepared: PromptPart[];
}

/** Stores a turn, publishes its messages and runs its reply. */
@Injectable()
export class TurnStarter {
  constructor(
    private readonly quota: ReplyQuota,
    private readonly turns: TurnsService,
    private readonly runs: ReplyRunFactory,
    private readonly engine: ReplyEngine,
    private readonly hub: EventHub,
  ) {}

  /**
   * Requests that fail or turn out to be repeats do not count against the user's quota.
   * @param resolveConfig called after the quota was checked
   */
  async start(start: TurnBasis, resolveConfig: () => Promise<ResolvedConfig>): Promise<Turn> {
    const lease = await this.quota.acquire(start.userId);
    try {
      const { turn, reply } = await this.startTurn(start, await resolveConfig());
      if (reply) void reply.ended.finally(() => lease.release());
      else lease.refund();
      return turn;
    } catch (error) {
      lease.refund();
      throw error;
    }
  }

  /** @returns no reply for a repeat */
  private async startTurn(
    start: TurnBasis,
    config: ResolvedConfig,
  ): Promise<{ turn: Turn; reply?: ActiveReply }> {
    const { nodeId } = this.engine;
    const origin = { nodeId, configId: config.configId, modelName: config.provider.modelName };
    const prepared = await this.runs.prepareFiles(start, config);
    const deletion = new DeletionWatch(this.hub, start.userId, start.conversationId);
    const turn = await this.turns
      .start({ ...start, origin, quota: quotaOf(config) })
      .finally(() => deletion.unsubscribe());
    if (!turn.conversation) return { turn };
    if (deletion.isDeleted) throw new NotFoundError('conversation');
    const reply = this.startReply(turn, turn.conversation, start.request, { config, prepared });
    if (deletion.isDisabled) this.hub.deliver(start.userId, new ParleyEvent('account.disabled', {}));
    return { turn, reply };
  }

  private startReply(
    { userMessage, assistantMessage }: Turn,
    conversation: Conversation,
    request: TurnRequest,
    { config, prepared }: PreparedTurn,
  ): ActiveReply {
    const { userId } = conversation;
    const run = this.runs.create(conversation, userMessage, config, prepared);
    const reply = this.engine.start(assistantMessage, userId, 1, run);
    if (request.kind !== 'regenerate') this.hub.publish(userId, messageCreated(userMessage));
    this.hub.publish(userId, messageCreated(assistantMessage));
    this.hub.publish(userId, conversationUpdated(conversation));
    return reply;
  }
}

function quotaOf({ configId, dailyTokensPerUser }: ResolvedConfig): TokenQuota | undefined {
  if (configId === null || dailyTokensPerUser === null) return undefined;
  return { configId, dailyTokens: dailyTokensPerUser };
}

/** Observes events that would stop a reply, while the turn is stored and its reply does not run yet. */
class DeletionWatch {
  /** Whether the conversation or the account was deleted. */
  isDeleted = false;
  isDisabled = false;
  readonly unsubscribe: () => void;

  constructor(hub: EventHub, userId: number, id: number) {
    this.unsubscribe = hub.subscribe(userId, ({ type, conversationId }) => {
      const isOwn = type === 'conversation.deleted' && conversationId === id;
      this.isDeleted ||= isOwn || type === 'account.deleted';
      this.isDisabled ||= type === 'account.disabled';
    });
  }
}
