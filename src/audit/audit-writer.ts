import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditEvent } from './audit-event.entity.js';

const BATCH_SIZE = 200;
/** Events kept in memory while the database is unavailable. */
const MAX_WAITING = 10_000;
const RETRY_MS = 1000;

/**
 * Stores audit events in the background, in order and in batches, so that an event neither delays nor fails the request
 * that it records. Retries while the database is unavailable.
 */
@Injectable()
export class AuditWriter implements OnApplicationShutdown {
  private readonly logger = new Logger('Audit');
  private readonly waiting: Omit<AuditEvent, 'id'>[] = [];
  private writing: Promise<void> | null = null;
  private retry?: NodeJS.Timeout;
  private isFailing = false;
  private isFull = false;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  /** Runs after the HTTP server is closed and before the database is. */
  async onApplicationShutdown(): Promise<void> {
    await this.flush();
    clearTimeout(this.retry);
    if (this.waiting.length > 0)
      this.logger.error(`${this.waiting.length} audit events are in the log only: the database failed`);
  }

  /** Drops the oldest waiting event when too many wait. */
  add(event: Omit<AuditEvent, 'id'>): void {
    this.waiting.push(event);
    if (this.waiting.length > MAX_WAITING) this.drop();
    if (!this.retry) void this.write();
  }

  async flush(): Promise<void> {
    await this.writing;
    if (this.waiting.length > 0) await this.write();
  }

  private drop(): void {
    this.waiting.shift();
    if (!this.isFull) this.logger.error('Audit events are in the log only: too many wait for the database');
    this.isFull = true;
  }

  private write(): Promise<void> {
    clearTimeout(this.retry);
    this.retry = undefined;
    return (this.writing ??= this.writeAll().finally(() => (this.writing = null)));
  }

  private async writeAll(): Promise<void> {
    try {
      while (this.waiting.length > 0) await this.writeBatch();
      this.isFailing = this.isFull = false;
    } catch (error) {
      if (!this.isFailing)
        this.logger.warn({ error: String(error) }, 'Failed to store audit events, retrying');
      this.isFailing = true;
      this.retry = setTimeout(() => this.write(), RETRY_MS).unref();
    }
  }

  private async writeBatch(): Promise<void> {
    const batch = this.waiting.splice(0, BATCH_SIZE);
    try {
      await this.dataSource
        .createQueryBuilder()
        .insert()
        .into(AuditEvent)
        .values(batch)
        .updateEntity(false)
        .execute();
    } catch (error) {
      this.waiting.unshift(...batch);
      throw error;
    }
  }
}
