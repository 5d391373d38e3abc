import type { EntityManager } from 'typeorm';
import { isMysql } from '../database/data-source.js';
import { DELETED_USERS, NO_CONFIG, partitionOf } from './daily-usage.entity.js';
import { datesBetween, dateOf } from './usage-dates.js';

/** Tokens of one request to a model. */
export interface UsageEntry {
  userId: number;
  modelName: string;
  /** Null for the demo model. */
  configId: number | null;
  /** 0 for the title of a conversation. */
  replies: 0 | 1;
  promptTokens: number;
  completionTokens: number;
  /** Decides the day. */
  endedAt: Date;
}

const KEY = 'date, user_id, model_name, config_id';
const COUNTS = ['replies', 'prompt_tokens', 'completion_tokens'];
const INSERT = `INSERT INTO daily_usage (${KEY}, ${COUNTS.join(', ')})`;
const MYSQL_ADD = `ON DUPLICATE KEY UPDATE ${sums((column) => `VALUES(${column})`)}`;
const SQLITE_ADD = `ON CONFLICT (${KEY}) DO UPDATE SET ${sums((column) => `excluded.${column}`)}`;

/** Adds to the user's row and to its partition's, in the caller's transaction. */
export async function addUsage(manager: EntityManager, entry: UsageEntry): Promise<void> {
  const { userId, modelName, replies, promptTokens, completionTokens } = entry;
  const date = dateOf(entry.endedAt);
  const counts = [replies, promptTokens, completionTokens];
  await manager.query(`${INSERT} VALUES (?,?,?,?,?,?,?), (?,?,?,?,?,?,?) ${addition(manager)}`, [
    ...[date, userId, modelName, entry.configId ?? NO_CONFIG, ...counts],
    ...[date, partitionOf(userId), modelName, NO_CONFIG, ...counts],
  ]);
}

/** Moves a user's usage to that of deleted users. Call it after the user's messages are deleted or locked. */
export async function anonymizeUsage(
  manager: EntityManager,
  user: { id: number; createdAt: Date },
): Promise<void> {
  const dates = datesBetween(dateOf(user.createdAt), dateOf(new Date()));
  const owned = `WHERE date IN (${dates.map(() => '?').join(', ')}) AND user_id = ?`;
  const values = [...dates, user.id];
  // In a derived table, whose columns the addition cannot confuse with those of the row that exists.
  const moved = `SELECT * FROM (SELECT date, ${DELETED_USERS} AS user_id, model_name, config_id, ${COUNTS.join(', ')}
    FROM daily_usage ${owned}) AS moved WHERE true`;
  await manager.query(`${INSERT} ${moved} ${addition(manager)}`, values);
  await manager.query(`DELETE FROM daily_usage ${owned}`, values);
}

function addition(manager: EntityManager): string {
  return isMysql(manager.dataSource) ? MYSQL_ADD : SQLITE_ADD;
}

function sums(added: (column: string) => string): string {
  return COUNTS.map((column) => `${column} = daily_usage.${column} + ${added(column)}`).join(', ');
}
