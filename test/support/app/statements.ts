import { DataSource, type Logger } from 'typeorm';
import type { TestApp } from './app.js';

/** Records every statement of a test's app from its construction on. */
export class StatementLog {
  private sent: string[] = [];

  constructor({ app }: TestApp) {
    const dataSource = app.get(DataSource);
    const logger = Object.create(dataSource.logger) as Logger;
    logger.logQuery = (sql) => void this.sent.push(sql);
    dataSource.logger = logger;
  }

  /** Statements since the last call, as verb and table. */
  take(): string[] {
    const taken = this.sent.map(summary);
    this.sent = [];
    return taken;
  }
}

/** Summarizes `BEGIN IMMEDIATE` and `START TRANSACTION` alike, and ignores subqueries. */
function summary(sql: string): string {
  const [verb = ''] = sql.split(' ', 1);
  if (/^(BEGIN|START)/.test(sql)) return 'BEGIN';
  const [, table = ''] = /\b(?:FROM|INTO|UPDATE)\s+["`]?(\w+)/.exec(sql.replace(/\([^()]*\)/g, '')) ?? [];
  return `${verb} ${table}`.trim();
}
