import { networkError } from '../error.js';

const TIMEOUT_MS = 15_000;

/**
 * Aborts a call that takes too long, as a network failure.
 * @param call may change the time that is left by its second argument
 * @param outer aborts the call as well
 */
export async function withTimeout<T>(
  call: (signal: AbortSignal, limit: (ms: number) => void) => Promise<T>,
  ms = TIMEOUT_MS,
  outer?: AbortSignal,
): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = () => {
    clearTimeout(timer);
    controller.abort();
  };
  const limit = (left: number) => {
    clearTimeout(timer);
    timer = setTimeout(abort, left);
  };
  limit(ms);
  outer?.addEventListener('abort', abort);
  try {
    return await call(controller.signal, limit);
  } catch (error) {
    throw controller.signal.aborted ? networkError(error) : error;
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}
