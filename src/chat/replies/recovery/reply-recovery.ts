import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { isDatabaseUnavailable } from '../../../common/errors/database-errors.js';
import { Draining } from '../../../common/lifecycle/draining.js';
import { AbandonedReplies } from '../abandoned-replies.js';
import { ReplyRepository } from '../reply-repository.js';
import { RecoveryScan, type Scanned } from './recovery-scan.js';
import { ReplyRetries } from './reply-retries.js';

const SWEEP_INTERVAL_MS = 60_000;
/** A crash may leave a thousand replies to end within 15 s. */
const CONCURRENCY = 8;

/** Retries or interrupts the replies of dead nodes. */
@Injectable()
export class ReplyRecovery implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('ReplyRecovery');
  private timer?: NodeJS.Timeout;
  private recovering: Promise<void> | null = null;
  private lastSweep = -Infinity;

  constructor(
    private readonly scan: RecoveryScan,
    private readonly retries: ReplyRetries,
    private readonly abandoned: AbandonedReplies,
    private readonly repository: ReplyRepository,
    private readonly draining: Draining,
  ) {}

  onApplicationBootstrap(): void {
    const tick = () => (this.recovering ??= this.recover().finally(() => (this.recovering = null)));
    this.timer = setInterval(() => void tick(), this.scan.intervalMs).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private async recover(): Promise<void> {
    if (this.draining.active) return;
    try {
      await this.scan.run((scanned) => this.handle(scanned));
    } catch (error) {
      // The heartbeat logs that the database is unavailable.
      if (!isDatabaseUnavailable(error))
        this.logger.error({ error }, 'Failed to recover replies of dead nodes');
    }
  }

  private async handle({ abandoned, lost }: Scanned): Promise<void> {
    for (const reply of lost) reply.abort('stopped');
    for (let start = 0; start < abandoned.length; start += CONCURRENCY) {
      const batch = abandoned.slice(start, start + CONCURRENCY);
      await Promise.all(batch.map((id) => this.retryOrInterrupt(id)));
    }
    await this.sweep();
  }

  private async retryOrInterrupt(id: number): Promise<void> {
    if (await this.retries.retry(id)) return;
    if (await this.abandoned.end(id, 'interrupted'))
      this.logger.warn(`Interrupted reply ${id} of a dead node`);
  }

  private async sweep(): Promise<void> {
    const now = performance.now();
    if (now - this.lastSweep < SWEEP_INTERVAL_MS) return;
    await this.repository.deleteOrphanedChunks();
    this.lastSweep = now;
  }
}
