import type { DataSource, EntityManager } from 'typeorm';

/** MySQL's deadlock and lock wait time-out: the statement or transaction may be tried again. */
const CONTENTION = new Set(['ER_LOCK_DEADLOCK', 'ER_LOCK_WAIT_TIMEOUT']);

const ATTEMPTS = 5;
/** After this long a caller is told rather than kept waiting: within five seconds, as a last try may wait for two. */
const PATIENCE_MS = 2800;

/** Runs a transaction, again where it lost to another one; `work` must have no effect beside the database. */
export async function transaction<T>(
  dataSource: DataSource,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  return retryContention(() => dataSource.transaction(work));
}

/** Runs a statement or transaction, again where a deadlock or a lock time-out ended it. */
export async function retryContention<T>(work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const givenUp = attempt === ATTEMPTS || performance.now() - start > PATIENCE_MS;
      if (givenUp || !isContention(error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** attempt));
  }
}

function isContention(error: unknown): boolean {
  const { code } = driverError(error);
  return code !== undefined && CONTENTION.has(code);
}

/** Whether another process has SQLite's file locked. The package gives no code with every such error. */
export function isLocked(error: unknown): boolean {
  return /^database (table )?is locked/.test(driverError(error).message ?? '');
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
