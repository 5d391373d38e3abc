import { Injectable, Logger } from '@nestjs/common';
import { ProblemError } from '../../../common/errors/errors.js';
import { Settings } from '../../../env/settings.js';
import { EventHub } from '../../../events/event-hub.js';
import { messageRestarted } from '../../events/chat.events.js';
import { ReplyEngine } from '../reply-engine.js';
import { type RunningReply, ReplyRepository } from '../reply-repository.js';
import { type ReplyRun, ReplyRunFactory } from '../reply-run-factory.js';

/** The second attempt of a run is for late reasoning. */
const ATTEMPTS_PER_RUN = 2;
/** First attempt of the second run. There is no third run, so that a reply cannot crash one node after another. */
const RETRY_ATTEMPT = ATTEMPTS_PER_RUN + 1;

/** Runs the reply of a dead node again from the start, if RETRY_INTERRUPTED is set. */
@Injectable()
export class ReplyRetries {
  private readonly logger = new Logger('ReplyRetries');

  constructor(
    private readonly settings: Settings,
    private readonly repository: ReplyRepository,
    private readonly runs: ReplyRunFactory,
    private readonly engine: ReplyEngine,
    private readonly hub: EventHub,
  ) {}

  /** @returns false if the reply is to be interrupted instead */
  async retry(messageId: number): Promise<boolean> {
    if (!this.settings.retryInterrupted) return false;
    const running = await this.repository.findRunning({ id: messageId });
    if (!running || running.reply.attempt >= RETRY_ATTEMPT) return false;
    const run = await this.prepare(running);
    if (!run) return false;
    if (await this.repository.claim(running.reply, this.engine.nodeId, RETRY_ATTEMPT))
      await this.restart(running, run);
    return true;
  }

  /** @returns null if the reply's configuration is unusable by now */
  private async prepare(running: RunningReply): Promise<ReplyRun | null> {
    try {
      return await this.runs.recreate(running);
    } catch (error) {
      if (error instanceof ProblemError) return null;
      throw error;
    }
  }

  private async restart({ reply, conversation }: RunningReply, run: ReplyRun): Promise<void> {
    await this.repository.deleteChunks([reply.id]);
    const message = await this.repository.toDto(reply);
    this.engine.start(message, conversation.userId, RETRY_ATTEMPT, run);
    this.hub.publish(conversation.userId, messageRestarted(message, RETRY_ATTEMPT));
    this.logger.warn(`Retried reply ${reply.id} of a dead node`);
  }
}
