import type { EntityManager } from 'typeorm';
import { ProblemError } from '../common/errors/errors.js';
import { isMysql } from '../database/data-source.js';
import { dateOf, midnightAfter } from './usage-dates.js';

/** Tokens of a shared configuration that a user may use per day. */
export interface TokenQuota {
  configId: number;
  dailyTokens: number;
}

/**
 * Refuses a turn if the user has used up the tokens of the day. Locks the usage until the transaction that starts the
 * turn ends, so that no reply ends, and reaches the quota, in between. Call it last in the transaction.
 * @throws {ProblemError} 429 `quota_exceeded`
 */
export async function refuseOverQuota(
  manager: EntityManager,
  userId: number,
  { configId, dailyTokens }: TokenQuota,
  now: Date,
): Promise<void> {
  const locking = isMysql(manager.dataSource) ? 'LOCK IN SHARE MODE' : '';
  const [row] = await manager.query<{ used: number | string | null }[]>(
    `SELECT SUM(prompt_tokens + completion_tokens) AS used FROM daily_usage
     WHERE date = ? AND user_id = ? AND config_id = ? ${locking}`,
    [dateOf(now), userId, configId],
  );
  if (Number(row!.used) >= dailyTokens) throw quotaExceeded(dailyTokens, now);
}

function quotaExceeded(dailyTokens: number, now: Date): ProblemError {
  const retryAfterSeconds = Math.ceil((midnightAfter(now).getTime() - now.getTime()) / 1000);
  const detail = `You have used the ${dailyTokens} tokens a day of this model. They are renewed at midnight UTC.`;
  return new ProblemError(429, 'quota_exceeded', detail, { retryAfterSeconds });
}
