import { Injectable, Logger } from '@nestjs/common';
import { ProblemError } from '../common/errors.js';
import { Settings } from '../env/settings.js';
import { EventHub } from '../events/event-hub.js';
import { messageRestarted } from './chat.events.js';
import { ReplyEngine, type ReplyRun } from './reply-engine.js';
import { ReplyRunsService } from './reply-runs.service.js';
import { type RunningReply, ReplyStore } from './reply-store.js';

/** In all: a reply that crashes its node must not go on to crash every other. */
const MAX_ATTEMPTS = 2;

/** Runs the reply of a dead node again, from its start, where RETRY_INTERRUPTED asks for that. */
@Injectable()
export class ReplyRetries {
  private readonly logger = new Logger('ReplyRetries');

  constructor(
    private readonly settings: Settings,
    private readonly store: ReplyStore,
    private readonly runs: ReplyRunsService,
    private readonly engine: ReplyEngine,
    private readonly hub: EventHub,
  ) {}

  /** @returns false where the reply is to be interrupted instead */
  async retry(messageId: number): Promise<boolean> {
    if (!this.settings.retryInterrupted) return false;
    const running = await this.store.findRunning({ id: messageId });
    if (!running || running.reply.attempt >= MAX_ATTEMPTS) return false;
    const run = await this.prepare(running);
    if (!run) return false;
    if (await this.store.claim(running.reply, this.engine.nodeId)) await this.restart(running, run);
    return true;
  }

  /** @returns null where the reply's configuration cannot be used any more */
  private async prepare(running: RunningReply): Promise<ReplyRun | null> {
    try {
      return await this.runs.again(running);
    } catch (error) {
      if (error instanceof ProblemError) return null;
      throw error;
    }
  }

  private async restart({ reply, conversation }: RunningReply, run: ReplyRun): Promise<void> {
    await this.store.deleteChunks([reply.id]);
    const message = await this.store.toDto(reply);
    const attempt = reply.attempt + 1;
    this.engine.start(message, conversation.userId, attempt, run);
    this.hub.publish(conversation.userId, messageRestarted(message, attempt));
    this.logger.warn(`Reply ${reply.id} begins again: its node is gone.`);
  }
}
