import type { DataSource, EntityManager } from 'typeorm';

/** MySQL's deadlock and lock wait time-out; SQLite's busy and locked. The statement may be tried again. */
const CONTENTION = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT', 'SQLITE_BUSY', 'SQLITE_LOCKED']);

const ATTEMPTS = 5;

/** Runs a transaction, again where it lost to another one; `work` must have no effect beside the database. */
export async function transaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryContention(() => dataSource.transaction(work));
}

/** Runs a statement or transaction, again where a deadlock or a lock time-out ended it. */
export async function retryContention<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS || !isContention(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** attempt));
  }
}

function isContention(error: unknown): boolean {
  const { code } = driverError(error);
  return code !== undefined && CONTENTION.has(code);
}

/** Whether a unique key refused a row: MySQL's errno 1062, SQLite's extended codes 2067 and 1555. */
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

function driverError(error: unknown): { code?: string; errno?: number; message?: string } {
  return (error as { driverError?: object }).driverError ?? (error as object);
}
