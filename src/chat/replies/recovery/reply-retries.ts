import { Injectable, Logger } from '@nestjs/common';
import { ProblemError } from '../../../common/errors/errors.js';
import { Settings } from '../../../env/settings.js';
import { EventHub } from '../../../events/event-hub.js';
import { messageRestarted } from '../../events/chat.events.js';
import { ReplyEngine } from '../reply-engine.js';
import { type ReplyRun, ReplyRunFactory } from '../reply-run-factory.js';
import { type RunningReply, ReplyRepository } from '../reply-repository.js';

/**
 * A reply's first run has the attempts 1 and 2 (where its text began anew), its second has 3 and 4. There is no third: a
 * reply that crashes its node must not go on to crash every other.
 */
const ATTEMPTS_A_RUN = 2;
const SECOND_RUN = ATTEMPTS_A_RUN + 1;

/** Runs the reply of a dead node again, from its start, where RETRY_INTERRUPTED asks for that. */
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

  /** @returns false where the reply is to be interrupted instead */
  async retry(messageId: number): Promise<boolean> {
    if (!this.settings.retryInterrupted) return false;
    const running = await this.repository.findRunning({ id: messageId });
    if (!running || running.reply.attempt >= SECOND_RUN) return false;
    const run = await this.prepare(running);
    if (!run) return false;
    if (await this.repository.claim(running.reply, this.engine.nodeId, SECOND_RUN))
      await this.restart(running, run);
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
    await this.repository.deleteChunks([reply.id]);
    const message = await this.repository.toDto(reply);
    this.engine.start(message, conversation.userId, SECOND_RUN, run);
    this.hub.publish(conversation.userId, messageRestarted(message, SECOND_RUN));
    this.logger.warn(`Reply ${reply.id} begins again: its node is gone.`);
  }
}
