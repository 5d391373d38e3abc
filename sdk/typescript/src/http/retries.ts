import { ParleyError } from '../error.js';
import { Backoff } from '../platform/backoff.js';

/** Refusals of a moment; every other 4xx is final. */
const TEMPORARY = new Set([408, 425, 429]);
/** A wait that a person would not sit through, such as that for the next day's quota. */
const MAX_WAIT_S = 60;
/** How often a fault of the server's (500) is tried again. */
const MAX_FAULTS = 5;

/** Decides whether, and how long later, a failed request is repeated. */
export class Retries {
  private readonly backoff = new Backoff(500, 10_000);
  private faults = 0;

  /** @throws the error of a request that would fail again */
  nextMs(error: unknown): number {
    if (error instanceof ParleyError && error.status === 500) this.faults++;
    if (!isTemporary(error) || this.faults > MAX_FAULTS) throw error;
    return this.backoff.nextMs(error.retryAfter);
  }
}

/** Whether the same request may succeed later. */
export function isTemporary(error: unknown): error is ParleyError {
  if (!(error instanceof ParleyError)) return false;
  const { status, code, retryAfter } = error;
  if (code === 'reply_in_progress') return true;
  if ((retryAfter ?? 0) > MAX_WAIT_S) return false;
  return status === 0 || status >= 500 || TEMPORARY.has(status) || code === 'token_expired';
}
