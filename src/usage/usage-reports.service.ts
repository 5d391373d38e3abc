import { Injectable } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { invalidField } from '../common/errors/errors.js';
import { DELETED_USERS, NO_CONFIG } from './daily-usage.entity.js';
import { addDays, countDates, dateOf, datesBetween } from './usage-dates.js';
import type { UsageGroup, UsageQuery, UsageRowDto } from './usage.dto.js';

const DEFAULT_DAYS = 30;
const MAX_DAYS = 366;
/** Bounds a query over the rows of users, which runs in this process on SQLite. */
const USERS_PER_QUERY = 2000;

const SUMS = ['replies', 'prompt_tokens', 'completion_tokens'] as const;
type Row = Record<'grouped' | (typeof SUMS)[number], string | number>;

const COLUMNS = { day: 'date', user: 'user_id', model: 'model_name', config: 'config_id' } as const;
/** Ids of users: one, a range, or all, whose partitions have sums by day and model. */
type Users = number | { first: number; last: number } | 'all';

/** Sums up the usage of days. */
@Injectable()
export class UsageReports {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /**
   * @param userId null for all users
   * @throws {ValidationFailedError} for a range that is reversed or too long
   */
  async list(userId: number | null, query: UsageQuery): Promise<UsageRowDto[]> {
    const isSummed = query.group === 'day' || query.group === 'model';
    const rows =
      userId === null && !isSummed
        ? await this.readByUsers(query)
        : await this.database.query<Row[]>(...this.statement(userId ?? 'all', query));
    return rows.map((row) => toDto(query.group, row));
  }

  /** @returns the SQL and its values */
  statement(users: Users, { from, to, group }: UsageQuery): [string, unknown[]] {
    const dates = datesOf(from, to);
    const column = COLUMNS[group];
    // A list rather than a range, so that each day is one range of the primary key.
    const days = `date IN (${dates.map(() => '?').join(', ')})`;
    const [condition, ...ids] = conditionOf(users);
    const sums = SUMS.map((sum) => `SUM(${sum}) AS ${sum}`).join(', ');
    const sql =
      `SELECT ${column} AS grouped, ${sums} FROM daily_usage WHERE ${days} AND ${condition} ` +
      `GROUP BY ${column} ORDER BY ${column}`;
    return [sql, [...dates, ...ids]];
  }

  /** Sums up the rows of all users, deleted ones included. */
  private async readByUsers(query: UsageQuery): Promise<Row[]> {
    const [newest] = await this.database.query<{ id: number | string | null }[]>(
      'SELECT MAX(id) AS id FROM users',
    );
    const sums = new Map<number, Row>();
    for (let first = DELETED_USERS; first <= Number(newest!.id); first += USERS_PER_QUERY) {
      const users = { first, last: first + USERS_PER_QUERY - 1 };
      for (const row of await this.database.query<Row[]>(...this.statement(users, query))) addTo(sums, row);
      await setImmediate();
    }
    return [...sums.entries()].sort(([a], [b]) => a - b).map(([, row]) => row);
  }
}

function conditionOf(users: Users): [condition: string, ...ids: number[]] {
  if (users === 'all') return ['user_id < 0'];
  if (typeof users === 'number') return ['user_id = ?', users];
  return ['user_id BETWEEN ? AND ?', users.first, users.last];
}

/** Users of different ranges share configurations. */
function addTo(sums: Map<number, Row>, row: Row): void {
  const key = Number(row.grouped);
  const before = sums.get(key);
  for (const sum of SUMS) row[sum] = Number(row[sum]) + Number(before?.[sum] ?? 0);
  sums.set(key, row);
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
