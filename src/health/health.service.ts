import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { DataSource } from 'typeorm';
import { Draining } from '../common/draining.js';
import { ProblemError, UnavailableError } from '../common/errors.js';
import type { ReadinessDto } from './health.dto.js';
import { RedisPing } from './redis-ping.js';

const TIMEOUT_MS = 1500;
const RETRY_AFTER_SECONDS = 5;

@Injectable()
export class HealthService {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly dataSource: DataSource,
    private readonly redis: RedisPing,
    private readonly draining: Draining,
  ) {}

  /** @throws ProblemError 503 naming each part's state, which says nothing of why: anybody may ask */
  async checkReadiness(): Promise<ReadinessDto> {
    if (this.draining.announced) throw new UnavailableError('draining', 'The server is shutting down.');
    const checks = Object.entries(this.parts()).map(([name, ping]) => this.check(name, ping));
    const parts = Object.fromEntries(await Promise.all(checks));
    if (Object.values(parts).includes('down')) {
      const extras = { retryAfterSeconds: RETRY_AFTER_SECONDS, members: { parts } };
      throw new ProblemError(503, 'not_ready', 'A part that the server needs is away.', extras);
    }
    return { status: 'ok', parts };
  }

  private parts(): Record<string, () => Promise<void>> {
    const database = async () => void (await this.dataSource.query('SELECT 1'));
    return this.redis.isNeeded ? { database, redis: () => this.redis.ping() } : { database };
  }

  private async check(name: string, ping: () => Promise<void>): Promise<[string, 'up' | 'down']> {
    const result = await this.indicators.check(name).attempt(ping).withTimeout(TIMEOUT_MS);
    return [name, result[name]?.status === 'up' ? 'up' : 'down'];
  }
}
