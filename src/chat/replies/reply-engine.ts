import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AiService } from '../../ai/ai.service.js';
import type { PromptMessage, CompletionBatch } from '../../ai/provider/provider.js';
import { logProviderError, logRetries, type ProviderTask } from '../../ai/errors/provider-error-log.js';
import { ProviderError } from '../../ai/provider/provider.error.js';
import { traced } from '../../common/tracing/tracing.js';
import { traceCompletion } from '../../ai/completion-tracing.js';
import { publishMeasurement } from '../../common/logging/measurements.js';
import { isDatabaseUnavailable } from '../../common/errors/database-errors.js';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS } from '../../conversations/messages/reply-chunk.entity.js';
import { EventHub } from '../../events/event-hub.js';
import { messageCompleted } from '../events/chat.events.js';
import { ActiveReply, type ReplyAborted } from './active-reply.js';
import { recordReplyEnd } from './reply-log.js';
import { finalReply, type Outcome, updateOutcome } from './reply-outcome.js';
import type { EndingReply, FinalReply } from './reply-end-records.js';
import { ReplyRepository } from './reply-repository.js';
import type { ReplyRun } from './reply-run-factory.js';
import { ReplyWriteBuffer } from './reply-write-buffer.js';

/** Interval of retries while the database is unavailable. */
const RETRY_MS = 500;
/** Time to store ends after a shutdown's grace. */
const LAST_WRITES_MS = 4000;

/**
 * Runs replies: reads the provider, publishes and stores the text, and ends each reply once. A reply belongs to the
 * process, so it continues when its client disconnects.
 */
@Injectable()
export class ReplyEngine {
  /** Identifies this process as the owner of its replies; new at each start. */
  readonly nodeId = randomUUID();

  private readonly logger = new Logger('ReplyEngine');
  private readonly replies = new Map<number, ActiveReply>();
  private closing = false;

  constructor(
    private readonly ai: AiService,
    private readonly hub: EventHub,
    private readonly repository: ReplyRepository,
    private readonly writeBuffer: ReplyWriteBuffer,
  ) {}

  /** @param message stored as `streaming` and owned by this node */
  start(message: MessageDto, userId: number, attempt: number, run: ReplyRun): ActiveReply {
    const reply = new ActiveReply(message, userId, attempt);
    this.replies.set(message.id, reply);
    this.writeBuffer.add(reply);
    const unsubscribe = this.subscribeToStops(reply);
    if (this.closing) reply.abort('interrupted');
    void traced('reply', { attributes: spanAttributes(reply) }, () => this.run(reply, run)).finally(
      unsubscribe,
    );
    return reply;
  }

  find(messageId: number): ActiveReply | undefined {
    return this.replies.get(messageId);
  }

  all(): ActiveReply[] {
    return [...this.replies.values()];
  }

  /** Waits for running replies to end, then interrupts the rest and stores their text. */
  async drain(graceSeconds: number): Promise<void> {
    await settledWithin(graceSeconds * 1000, this.allEnded());
    this.closing = true;
    this.all().forEach((reply) => reply.abort('interrupted'));
    const written = this.allEnded().then(() => this.writeBuffer.close());
    await settledWithin(LAST_WRITES_MS, written);
  }

  /** Includes replies that start meanwhile, whose sends were accepted before. */
  private async allEnded(): Promise<void> {
    while (this.replies.size > 0) await Promise.all(this.all().map((reply) => reply.ended));
  }

  private subscribeToStops(reply: ActiveReply): () => void {
    const { conversation_id } = reply.message;
    return this.hub.subscribe(reply.userId, ({ type, conversationId }) => {
      const stopsConversation = type === 'conversation.deleted' || type === 'reply.stop';
      const stopsUser = type === 'account.deleted' || type === 'account.disabled';
      if ((stopsConversation && conversationId === conversation_id) || stopsUser) reply.abort('stopped');
    });
  }

  private async run(reply: ActiveReply, run: ReplyRun): Promise<void> {
    let prompt: PromptMessage[] = [];
    const outcome: Outcome = { status: 'complete' };
    const task = taskOf(reply, run);
    try {
      prompt = await this.whenAvailable(reply, run.prompt);
      const batches = this.ai.stream(run.provider, prompt, reply.signal, logRetries(task));
      await traceCompletion(run.provider, outcome, () => this.read(reply, batches, outcome));
    } catch (error) {
      Object.assign(outcome, this.failure(reply, task, error));
    }
    await this.end(reply, run, await finalReply(reply, prompt, outcome));
  }

  private async read(
    reply: ActiveReply,
    batches: AsyncIterable<CompletionBatch>,
    outcome: Outcome,
  ): Promise<void> {
    let hasText = false;
    for await (const batch of batches) {
      if (batch.restarted) await this.restart(reply);
      if (!hasText && (batch.content || batch.reasoning)) {
        hasText = true;
        measureFirstText(reply);
      }
      updateOutcome(outcome, batch);
      const full = this.append(reply, batch);
      if (full) await full;
    }
  }

  /** @returns a promise to await before reading on, if too much text is unsaved */
  private append(reply: ActiveReply, batch: CompletionBatch): Promise<void> | null {
    for (const part of REPLY_PARTS) {
      if (batch[part]) this.hub.publish(reply.userId, reply.append(part, batch[part]));
    }
    return this.writeBuffer.grow(batch.content.length + batch.reasoning.length, reply.signal);
  }

  /** Turns the content so far into reasoning. Stored before published, because other nodes read the attempt. */
  private async restart(reply: ActiveReply): Promise<void> {
    const { content, attempt, message } = reply;
    await this.whenAvailable(reply, () =>
      this.repository.restart(message.id, this.nodeId, attempt + 1, content),
    );
    this.writeBuffer.forget(reply);
    for (const event of reply.restart(content)) this.hub.publish(reply.userId, event);
  }

  /** Retries while the database is unavailable, so that an acknowledged reply does not fail. */
  private async whenAvailable<T>({ signal }: ActiveReply, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
      }
      await delay(RETRY_MS, undefined, { signal });
    }
  }

  private failure(reply: ActiveReply, task: ProviderTask, error: unknown): Outcome {
    const { signal } = reply;
    if (signal.aborted) return { status: (signal.reason as ReplyAborted).end };
    if (error instanceof ProviderError) {
      logProviderError(task, error);
      return { status: 'failed', error: { code: error.code, detail: error.detail } };
    }
    this.logger.error({ message_id: reply.message.id, error }, 'Reply failed');
    return {
      status: 'failed',
      error: { code: 'internal_error', detail: 'Something went wrong on our side.' },
    };
  }

  private async end(reply: ActiveReply, run: ReplyRun, final: FinalReply): Promise<void> {
    await this.writeBuffer.remove(reply);
    const message = await traced('store reply', {}, () => this.storeEnd(reply, run, final));
    this.writeBuffer.discard(reply.message.id);
    this.replies.delete(reply.message.id);
    this.publishEnd(reply, message);
    // Logged once: by the node whose end is stored, or here if the conversation was deleted.
    if (!message || message.completed_at === final.completedAt.toISOString())
      recordReplyEnd(message ?? reply.endedAs(final), reply.userId);
    reply.resolveEnded(message);
    if (message) run.onEnded?.(message);
  }

  /** Does nothing if the reply was deleted, or claimed by another node and is running there. */
  private publishEnd(reply: ActiveReply, message: MessageDto | null): void {
    if (!message || message.status === 'streaming') return;
    const completed = messageCompleted(message, reply.attempt);
    for (const event of [...reply.missingOf(message), completed]) this.hub.publish(reply.userId, event);
  }

  /**
   * Stores the end, retrying until the database is available.
   * @returns the stored message, which another node may have ended; null if it was deleted
   */
  private async storeEnd(reply: ActiveReply, run: ReplyRun, final: FinalReply): Promise<MessageDto | null> {
    const ending = endingReply(reply, run);
    const { id } = ending;
    for (let attempt = 1; ; attempt++) {
      try {
        if (await this.repository.end(ending, this.nodeId, final)) return reply.endedAs(final);
        return await this.repository.findMessage(id);
      } catch (error) {
        if (attempt === 1)
          this.logger.warn(`Failed to store the end of reply ${id}, retrying: ${(error as Error).message}`);
      }
      await delay(RETRY_MS, undefined, { ref: false });
    }
  }
}

function measureFirstText({ message }: ActiveReply): void {
  publishMeasurement('reply.first-text', { seconds: (Date.now() - Date.parse(message.created_at)) / 1000 });
}

function spanAttributes({ message }: ActiveReply) {
  return { 'gen_ai.conversation.id': String(message.conversation_id), 'parley.message.id': message.id };
}

function endingReply({ message, userId }: ActiveReply, { configId }: ReplyRun): EndingReply {
  const { id, conversation_id: conversationId, model_name: modelName } = message;
  return { id, userId, conversationId, configId, modelName };
}

function taskOf({ message, userId }: ActiveReply, { configId }: ReplyRun): ProviderTask {
  const { id, conversation_id } = message;
  return { task: 'reply', message_id: id, conversation_id, user_id: userId, config_id: configId };
}

async function settledWithin(milliseconds: number, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, delay(milliseconds, undefined, { ref: false })]);
}
