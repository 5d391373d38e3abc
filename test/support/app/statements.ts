import { DataSource, type Logger } from 'typeorm';
import type { TestApp } from './app.js';

/** Every statement that a test's app sends to its database, from when this is made. */
export class StatementLog {
  private sent: string[] = [];

  constructor({ app }: TestApp) {
    const dataSource = app.get(DataSource);
    const logger = Object.create(dataSource.logger) as Logger;
    logger.logQuery = (sql) => void this.sent.push(sql);
    dataSource.logger = logger;
  }

  /** What was sent since the last call: each statement's verb, and the table that it is about. */
  take(): string[] {
    const taken = this.sent.map(summary);
    this.sent = [];
    return taken;
  }
}

/** `BEGIN IMMEDIATE` and `START TRANSACTION` are the same to a reader. */
function summary(sql: string): string {
  const [verb = ''] = sql.split(' ', 1);
  if (/^(BEGIN|START)/.test(sql)) return 'BEGIN';
  const [, table = ''] = /\b(?:FROM|INTO|UPDATE)\s+["`]?(\w+)/.exec(sql) ?? [];
  return `${verb} ${table}`.trim();
}
