import type { DataSource, EntityManager } from 'typeorm';
import { driverError } from '../common/errors/database-errors.js';

/** MySQL's deadlock and lock wait time-out, after which a statement or transaction may be retried. */
const CONTENTION = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT']);

const MAX_ATTEMPTS = 5;
/** No attempt starts later; one can wait 2 s for a lock, so that callers get an answer within 5 s. */
const MAX_RETRY_MS = 2800;

const effectsOfCommits = new WeakMap<EntityManager, (() => void)[]>();

/**
 * Runs a transaction, and again after a deadlock or lock time-out.
 * @param work must have no effects outside the database, except by `afterCommit`
 */
export async function transaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryContention(async () => {
    const effects: (() => void)[] = [];
    const result = await dataSource.transaction((manager) => {
      effectsOfCommits.set(manager, effects);
      return work(manager);
    });
    effects.forEach((effect) => effect());
    return result;
  });
}

/**
 * Runs an effect once the manager's transaction is committed. The effect must not throw.
 * @param manager passed by `transaction`
 */
export function afterCommit(manager: EntityManager, effect: () => void): void {
  const effects = effectsOfCommits.get(manager);
  if (!effects) throw new Error('The manager is not one of transaction().');
  effects.push(effect);
}

/** Runs a statement or transaction, and again after a deadlock or lock time-out, with random growing delays. */
export async function retryContention<T>(work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const isLast = attempt === MAX_ATTEMPTS || performance.now() - start > MAX_RETRY_MS;
      if (isLast || !isContention(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** attempt));
  }
}

function isContention(error: unknown): boolean {
  const { code } = driverError(error);
  return code !== undefined && CONTENTION.has(code);
}

/** Whether another process has locked SQLite's file. The package sets no code on some of these errors. */
export function isLocked(error: unknown): boolean {
  return /^database (table )?is locked/.test(driverError(error).message ?? '');
}

/** Whether a unique key rejected a row: MySQL's errno 1062, SQLite's extended codes 2067 and 1555. */
export function isDuplicateKey(error: unknown): boolean {
  const { errno, code, message } = driverError(error);
  return (
    errno === 1062 ||
    errno === 2067 ||
    errno === 1555 ||
    code === 'ER_DUP_ENTRY' ||
    /UNIQUE constraint failed/.test(message ?? '')
  );
}
