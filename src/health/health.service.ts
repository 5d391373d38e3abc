import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Heartbeat } from '../chat/replies/recovery/heartbeat.js';
import { Draining } from '../common/lifecycle/draining.js';
import { ProblemError, UnavailableError } from '../common/errors/errors.js';
import { FileStorage } from '../files/storage/file-storage.js';
import type { PartState, ReadinessDto } from './health.dto.js';
import { RedisPing } from './redis-ping.js';

const DATABASE_TIMEOUT_MS = 1500;
/** Kubernetes counts a probe without a response within a second as failed. */
const OPTIONAL_TIMEOUT_MS = 500;
const RETRY_AFTER_SECONDS = 5;

@Injectable()
export class HealthService {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly heartbeat: Heartbeat,
    private readonly redis: RedisPing,
    private readonly draining: Draining,
    private readonly storage: FileStorage,
  ) {}

  /** @throws ProblemError 503 with each part's state, without the cause, because the route is public */
  async checkReadiness(): Promise<ReadinessDto> {
    if (this.draining.announced) throw new UnavailableError('draining', 'The server is shutting down.');
    const parts = Object.fromEntries(await Promise.all(this.checks()));
    if (Object.values(parts).includes('down')) {
      const extras = { retryAfterSeconds: RETRY_AFTER_SECONDS, members: { parts } };
      throw new ProblemError(503, 'not_ready', 'A required dependency is unavailable.', extras);
    }
    return { status: 'ok', parts };
  }

  /**
   * The database is required, and probed by a write. Without the storage of files, chats go on; without Redis, each node
   * serves its own clients.
   */
  private checks(): Promise<[string, PartState]>[] {
    const database = this.check('database', () => this.heartbeat.beat(), DATABASE_TIMEOUT_MS, 'down');
    const files = this.check('files', () => this.storage.probe(), OPTIONAL_TIMEOUT_MS, 'degraded');
    if (!this.redis.isConfigured) return [database, files];
    return [database, files, this.check('redis', () => this.redis.ping(), OPTIONAL_TIMEOUT_MS, 'degraded')];
  }

  private async check(
    name: string,
    probe: () => Promise<void>,
    timeoutMs: number,
    otherwise: PartState,
  ): Promise<[string, PartState]> {
    const result = await this.indicators.check(name).attempt(probe).withTimeout(timeoutMs);
    return [name, result[name]?.status === 'up' ? 'up' : otherwise];
  }
}
