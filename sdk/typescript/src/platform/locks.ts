import { delay } from './clock.js';

interface LockManager {
  request<T>(name: string, options: { signal: AbortSignal }, task: () => Promise<T>): Promise<T>;
  request<T>(
    name: string,
    options: { ifAvailable: true },
    task: (lock: object | null) => Promise<T>,
  ): Promise<T>;
}

/** A frozen background tab may hold a lock for as long as it is frozen. */
const MAX_WAIT_MS = 10_000;
/** A tab may see what another one has stored a moment later. */
const STORAGE_LAG_MS = 100;

/** Runs tasks of one name one after the other in all tabs (Web Locks API); at once where there are no locks. */
export async function withLock<T>(name: string, task: () => Promise<T>): Promise<T> {
  const { navigator } = globalThis as { navigator?: { locks?: LockManager } };
  const locks = navigator?.locks;
  if (!locks) return task();
  const first = await locks.request(
    name,
    { ifAvailable: true },
    async (lock) => lock && { result: await task() },
  );
  return first ? first.result : waitForLock(locks, name, task);
}

async function waitForLock<T>(locks: LockManager, name: string, task: () => Promise<T>): Promise<T> {
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), MAX_WAIT_MS);
  let started = false;
  const run = async () => {
    started = true;
    clearTimeout(timer);
    await delay(STORAGE_LAG_MS);
    return task();
  };
  try {
    return await locks.request(name, { signal: waiting.signal }, run);
  } catch (error) {
    if (started || !waiting.signal.aborted) throw error;
    return task();
  } finally {
    clearTimeout(timer);
  }
}
