import { ParleyError } from '@parley/client';
import { t } from '../i18n/i18n.js';
import { Value } from './store.js';

/** One line about what just failed or succeeded. */
export const notice = new Value<string | null>(null);

export function messageOf(error: unknown): string {
  if (!(error instanceof ParleyError)) return t.problem('unexpected_response', String(error));
  const fields = error.errors.map(({ field, message }) => t.fieldError(field, message));
  return fields.join(' ') || t.problem(error.code, error.message);
}

/** Shows the failure of an action. Returns undefined when it failed. */
export async function report<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    notice.set(messageOf(error));
    return undefined;
  }
}
