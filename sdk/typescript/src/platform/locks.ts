interface LockManager {
  request<T>(name: string, options: { signal: AbortSignal }, task: () => Promise<T>): Promise<T>;
}

/** A frozen background tab may hold a lock for as long as it is frozen. */
const MAX_WAIT_MS = 10_000;

/** Runs tasks of one name one after the other in all tabs (Web Locks API); at once where there are no locks. */
export async function withLock<T>(name: string, task: () => Promise<T>): Promise<T> {
  const { navigator } = globalThis as { navigator?: { locks?: LockManager } };
  if (!navigator?.locks) return task();
  const waiting = new AbortController();
  const timer = setTimeout(() => waiting.abort(), MAX_WAIT_MS);
  let started = false;
  const run = () => {
    started = true;
    clearTimeout(timer);
    return task();
  };
  try {
    return await navigator.locks.request(name, { signal: waiting.signal }, run);
  } catch (error) {
    if (started || !waiting.signal.aborted) throw error;
    return task();
  } finally {
    clearTimeout(timer);
  }
}
