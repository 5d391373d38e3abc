import { networkError } from '../error.js';

const TIMEOUT_MS = 15_000;

/** Aborts a call that takes too long, as a network failure. */
export async function withTimeout<T>(call: (signal: AbortSignal) => Promise<T>, ms = TIMEOUT_MS): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await call(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? networkError(error) : error;
  } finally {
    clearTimeout(timer);
  }
}
