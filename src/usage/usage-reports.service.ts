import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { invalidField } from '../common/errors/errors.js';
import { DELETED_USERS, NO_CONFIG } from './daily-usage.entity.js';
import { addDays, countDates, dateOf, datesBetween } from './usage-dates.js';
import type { UsageGroup, UsageQuery, UsageRowDto } from './usage.dto.js';

const DEFAULT_DAYS = 30;
const MAX_DAYS = 366;

type Row = Record<'grouped' | 'replies' | 'prompt_tokens' | 'completion_tokens', string | number>;

const COLUMNS = { day: 'date', user: 'user_id', model: 'model_name', config: 'config_id' } as const;
/** Partitions have sums of all users by day and model. */
const ROWS_OF_ALL = {
  day: 'user_id < 0',
  model: 'user_id < 0',
  user: 'user_id >= 0',
  config: 'user_id >= 0',
};

/** Sums up the usage of days. */
@Injectable()
export class UsageReports {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * @param userId null for all users
   * @throws {ValidationFailedError} for a range that is reversed or too long
   */
  async list(userId: number | null, query: UsageQuery): Promise<UsageRowDto[]> {
    const [sql, values] = this.statement(userId, query);
    const rows = await this.database.query<Row[]>(sql, values);
    return rows.map((row) => toDto(query.group, row));
  }

  /** @returns the SQL and its values */
  statement(userId: number | null, { from, to, group }: UsageQuery): [string, unknown[]] {
    const dates = datesOf(from, to);
    const column = COLUMNS[group];
    // A list rather than a range, so that each day is one range of the primary key.
    const days = `date IN (${dates.map(() => '?').join(', ')})`;
    const users = userId === null ? ROWS_OF_ALL[group] : 'user_id = ?';
    const sql =
      `SELECT ${column} AS grouped, SUM(replies) AS replies, SUM(prompt_tokens) AS prompt_tokens, ` +
      `SUM(completion_tokens) AS completion_tokens FROM daily_usage WHERE ${days} AND ${users} ` +
      `GROUP BY ${column} ORDER BY ${column}`;
    return [sql, userId === null ? dates : [...dates, userId]];
  }
}

function datesOf(from: string | undefined, to: string = dateOf(new Date())): string[] {
  const start = from ?? addDays(to, 1 - DEFAULT_DAYS);
  const count = countDates(start, to);
  if (count < 1) throw invalidField('from', 'Must not be after `to`.');
  if (count > MAX_DAYS)
    throw invalidField('from', `Must be at most ${MAX_DAYS} days before the end of \`to\`.`);
  return datesBetween(start, to);
}

function toDto(group: UsageGroup, { grouped, ...sums }: Row): UsageRowDto {
  return {
    ...(group === 'day' && { date: String(grouped) }),
    ...(group === 'user' && { user_id: idOf(grouped, DELETED_USERS) }),
    ...(group === 'model' && { model_name: String(grouped) }),
    ...(group === 'config' && { config_id: idOf(grouped, NO_CONFIG) }),
    replies: Number(sums.replies),
    prompt_tokens: Number(sums.prompt_tokens),
    completion_tokens: Number(sums.completion_tokens),
  };
}

const idOf = (id: string | number, none: number) => (Number(id) === none ? null : Number(id));
