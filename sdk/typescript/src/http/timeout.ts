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
  const abort = () => controller.abort();
  let timer = setTimeout(abort, ms);
  const limit = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(abort, ms);
  };
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
