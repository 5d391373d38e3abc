import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AiService } from '../../ai/ai.service.js';
import type { PromptMessage, ReplyBatch, ReplySource, TokenUsage } from '../../ai/provider/provider.js';
import { logProviderError, logRetries, type ProviderTask } from '../../ai/errors/provider-error-log.js';
import { ProviderError } from '../../ai/provider/provider.error.js';
import { measure } from '../../common/logging/measures.js';
import { isDatabaseAway } from '../../common/errors/database-errors.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS } from '../../conversations/messages/reply-chunk.entity.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { PendingTurns } from '../turns/pending-turns.js';
import { messageCompleted } from '../events/chat.events.js';
import { ReplyWriteBuffer } from './reply-write-buffer.js';
import { type ReplyRun, ReplyRunFactory } from './reply-run-factory.js';
import { FinalReply, ReplyRepository, type RunningReply, usageColumns } from './reply-repository.js';
import { recordReplyEnd } from './reply-log.js';
import { ActiveReply, ReplyAborted } from './active-reply.js';
import { wholeText } from './streamed-text.js';
import { usageOf } from './usage.js';

/** Between two tries while the database is away. */
const RETRY_MS = 500;
/** How long another node may take to stop its reply before it is taken for dead. */
const STOP_ELSEWHERE_MS = 2000;
/** What a shutdown leaves for storing ends once the grace is over. */
const LAST_WRITES_MS = 4000;

interface Outcome {
  status: FinalReply['status'];
  finishReason?: string;
  usage?: TokenUsage;
  sources?: ReplySource[];
  error?: { code: string; detail: string };
}

/**
 * Runs replies: reads the provider, keeps and publishes what comes, and brings each reply to one end. A reply
 * belongs to the server: it goes on when whoever asked for it has left.
 */
@Injectable()
export class ReplyEngine {
  /** Of this process, anew at each start: it marks which replies are this process's. */
  readonly nodeId = randomUUID();

  private readonly logger = new Logger('ReplyEngine');
  private readonly replies = new Map<number, ActiveReply>();
  private closing = false;

  constructor(
    private readonly ai: AiService,
    private readonly hub: EventHub,
    private readonly repository: ReplyRepository,
    private readonly writeBuffer: ReplyWriteBuffer,
    private readonly runs: ReplyRunFactory,
    private readonly pendingTurns: PendingTurns,
  ) {}

  /** @param message as it was created, in the database too, `streaming` and this node's */
  start(message: MessageDto, userId: number, attempt: number, run: ReplyRun): ActiveReply {
    const reply = new ActiveReply(message, userId, attempt);
    this.replies.set(message.id, reply);
    this.writeBuffer.add(reply);
    const unsubscribe = this.stopWhenDeleted(reply);
    if (this.closing) reply.abort.abort(new ReplyAborted('interrupted'));
    void this.run(reply, run).finally(unsubscribe);
    return reply;
  }

  find(messageId: number): ActiveReply | undefined {
    return this.replies.get(messageId);
  }

  all(): ActiveReply[] {
    return [...this.replies.values()];
  }

  /**
   * Stops the reply that runs in a conversation, in this process or not.
   * @returns it as stored; null where none runs
   */
  async stopIn(conversationId: number): Promise<MessageDto | null> {
    await this.pendingTurns.settled(conversationId);
    const reply = this.all().find(({ message }) => message.conversation_id === conversationId);
    if (reply) {
      reply.abort.abort(new ReplyAborted('stopped'));
      return reply.ended;
    }
    const running = await this.repository.findRunning({ conversationId });
    if (!running) return null;
    return (await this.stopElsewhere(running)) ?? this.endAbandoned(running.reply.id, 'stopped');
  }

  /** Asks the node that runs it, which knows the text to its last character; null where no node answers. */
  private async stopElsewhere({ reply, conversation }: RunningReply): Promise<MessageDto | null> {
    if (!this.hub.hasRelay) return null;
    const { id: conversationId, userId } = conversation;
    await this.hub.whenSubscribed(userId);
    return new Promise((resolve) => {
      const settle = (message: MessageDto | null) => {
        unsubscribe();
        clearTimeout(timer);
        resolve(message);
      };
      const timer = setTimeout(() => settle(null), STOP_ELSEWHERE_MS).unref();
      const unsubscribe = this.hub.subscribe(userId, ({ type, body }) => {
        const message = body.message as MessageDto | undefined;
        if (type === 'message.completed' && message?.id === reply.id) settle(message);
      });
      this.hub.publish(userId, new ParleyEvent('reply.stop', { conversation_id: conversationId }));
    });
  }

  /**
   * Ends a reply that this process does not run, with the text that was stored of it.
   * @returns it as stored; null where something else ended it first
   */
  async endAbandoned(messageId: number, status: 'stopped' | 'interrupted'): Promise<MessageDto | null> {
    const running = await this.repository.findRunning({ id: messageId });
    if (!running) return null;
    const message = await this.repository.endAbandoned(running, status, async (text) =>
      usageOf(await this.runs.promptOf(running), text, undefined),
    );
    if (!message) return null;
    this.writeBuffer.discard(messageId);
    const { userId } = running.conversation;
    const { attempt } = running.reply;
    recordReplyEnd(message, userId);
    // Those here who follow it may have less than was stored, or more, of the node that ran it.
    wholeText(message, attempt).forEach((event) => this.hub.deliver(userId, event));
    this.hub.publish(userId, messageCompleted(message, attempt));
    return message;
  }

  /** Ends what runs: waits for replies to end by themselves, then interrupts the rest, keeping their text. */
  async drain(graceSeconds: number): Promise<void> {
    await within(graceSeconds * 1000, this.allEnded());
    this.closing = true;
    this.all().forEach((reply) => reply.abort.abort(new ReplyAborted('interrupted')));
    const written = this.allEnded().then(() => this.writeBuffer.close());
    await within(LAST_WRITES_MS, written);
  }

  /** Also those that begin meanwhile: they were asked for before. */
  private async allEnded(): Promise<void> {
    while (this.replies.size > 0) await Promise.all(this.all().map((reply) => reply.ended));
  }

  private async run(reply: ActiveReply, run: ReplyRun): Promise<void> {
    let prompt: PromptMessage[] = [];
    const outcome: Outcome = { status: 'complete' };
    const task = taskOf(reply, run);
    let hasBegun = false;
    try {
      prompt = await this.whenAvailable(reply, run.prompt);
      const batches = this.ai.stream(run.provider, prompt, reply.abort.signal, logRetries(task));
      for await (const batch of batches) {
        if (batch.restarted) await this.restart(reply);
        if (!hasBegun) hasBegun = noteBeginning(reply, batch);
        for (const part of REPLY_PARTS) {
          if (batch[part]) this.hub.publish(reply.userId, reply.append(part, batch[part]));
        }
        if (batch.finishReason) outcome.finishReason = batch.finishReason;
        if (batch.usage) outcome.usage = batch.usage;
        if (batch.sources) outcome.sources = batch.sources;
        const full = this.writeBuffer.grow(batch.content.length + batch.reasoning.length, reply.abort.signal);
        if (full) await full;
      }
    } catch (error) {
      Object.assign(outcome, this.failure(reply, task, error));
    }
    await this.end(reply, run, await finalReply(reply, prompt, outcome));
  }

  /** Makes reasoning of the reply's content so far. The database comes first, as other nodes read the attempt there. */
  private async restart(reply: ActiveReply): Promise<void> {
    const { content, attempt, message } = reply;
    await this.whenAvailable(reply, () =>
      this.repository.restart(message.id, this.nodeId, attempt + 1, content),
    );
    this.writeBuffer.forget(reply);
    for (const event of reply.restart(content)) this.hub.publish(reply.userId, event);
  }

  /** The database may be away just now: that need not fail a reply that was acknowledged. */
  private async whenAvailable<T>({ abort }: ActiveReply, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isDatabaseAway(error)) throw error;
      }
      await delay(RETRY_MS, undefined, { signal: abort.signal });
    }
  }

  private failure(reply: ActiveReply, task: ProviderTask, error: unknown): Outcome {
    const { signal } = reply.abort;
    if (signal.aborted) return { status: (signal.reason as ReplyAborted).end };
    if (error instanceof ProviderError) {
      logProviderError(task, error);
      return { status: 'failed', error: { code: error.code, detail: error.detail } };
    }
    this.logger.error({ message_id: reply.message.id, error }, 'A reply failed unexpectedly');
    return {
      status: 'failed',
      error: { code: 'internal_error', detail: 'Something went wrong on our side.' },
    };
  }

  private async end(reply: ActiveReply, run: ReplyRun, final: FinalReply): Promise<void> {
    await this.writeBuffer.remove(reply);
    const message = await this.persist(reply, final);
    this.writeBuffer.discard(reply.message.id);
    this.replies.delete(reply.message.id);
    // A node that was taken for dead may find that another runs its reply by now.
    if (message && message.status !== 'streaming') {
      const end = messageCompleted(message, reply.attempt);
      [...reply.missingOf(message), end].forEach((event) => this.hub.publish(reply.userId, event));
    }
    // Another node that ended it has logged that; where its conversation is gone, nobody else has.
    if (!message || message.completed_at === final.completedAt.toISOString())
      recordReplyEnd(message ?? reply.endedAs(final), reply.userId);
    reply.resolveEnded(message);
    if (message) run.onEnded?.(message);
  }

  /**
   * Stores the end, however long the database is away: what clients are told has ended is what is stored.
   * @returns the message as stored, by this run or by whoever ended it first; null where it is gone
   */
  private async persist(reply: ActiveReply, final: FinalReply): Promise<MessageDto | null> {
    const { id } = reply.message;
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.repository.end(id, this.nodeId, final)) return reply.endedAs(final);
        return await this.repository.findMessage(id);
      } catch (error) {
        if (attempt === 1)
          this.logger.warn(`The end of reply ${id} is not stored yet: ${(error as Error).message}`);
      }
      await delay(RETRY_MS, undefined, { ref: false });
    }
  }

  private stopWhenDeleted(reply: ActiveReply): () => void {
    const { conversation_id } = reply.message;
    return this.hub.subscribe(reply.userId, ({ type, conversationId }) => {
      const asked = type === 'conversation.deleted' || type === 'reply.stop';
      if ((asked && conversationId === conversation_id) || type === 'account.deleted')
        reply.abort.abort(new ReplyAborted('stopped'));
    });
  }
}

/** @returns whether the batch has the reply's first text */
function noteBeginning({ message }: ActiveReply, { content, reasoning }: ReplyBatch): boolean {
  if (content === '' && reasoning === '') return false;
  measure('reply.begun', { seconds: (Date.now() - Date.parse(message.created_at)) / 1000 });
  return true;
}

function taskOf({ message, userId }: ActiveReply, { configId }: ReplyRun): ProviderTask {
  const { id, conversation_id } = message;
  return { task: 'reply', message_id: id, conversation_id, user_id: userId, config_id: configId };
}

async function finalReply(
  reply: ActiveReply,
  prompt: PromptMessage[],
  outcome: Outcome,
): Promise<FinalReply> {
  const { content, reasoning } = reply;
  return {
    status: outcome.status,
    content,
    reasoning,
    finishReason: outcome.finishReason ?? null,
    errorCode: outcome.error?.code ?? null,
    errorDetail: outcome.error?.detail ?? null,
    ...usageColumns(await usageOf(prompt, reasoning + content, outcome.usage)),
    sources: outcome.sources ?? null,
    completedAt: new Date(),
  };
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, delay(milliseconds, undefined, { ref: false })]);
}
