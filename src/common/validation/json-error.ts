import type { FieldError } from '../errors/errors.js';

/** Deeper than anything we are sent has a reason to be, and far from where recursion over it would fail. */
const MAX_DEPTH = 32;

/** More than any DTO can use (16 KiB of params are the most), since checking takes time for each of them. */
const MAX_MEMBERS = 2500;

/**
 * What no body may have, whatever its DTO: values that are not JSON's own (sockets carry binary), nesting without
 * end, and keys that objects inherit, such as `__proto__`, which libraries would drop unseen or follow.
 */
export function jsonError(value: unknown): FieldError | undefined {
  return errorIn(value, [], { membersLeft: Infinity });
}

/** The same, and more members than a body has that is held to a DTO. */
export function dtoError(value: unknown): FieldError | undefined {
  return errorIn(value, [], { membersLeft: MAX_MEMBERS });
}

function errorIn(value: unknown, path: string[], budget: { membersLeft: number }): FieldError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field = path.join('.') || 'body';
  if (path.length > MAX_DEPTH) return { field, message: 'Must not be nested this deep.' };
  if (!Array.isArray(value) && !isPlain(value)) return { field, message: 'Must be JSON.' };
  const keys = Object.keys(value);
  budget.membersLeft -= keys.length;
  if (budget.membersLeft < 0) return { field: 'body', message: `Must have at most ${MAX_MEMBERS} members.` };
  for (const key of keys) {
    const inner = [...path, key];
    if (key in Object.prototype) return { field: inner.join('.'), message: 'Must not exist.' };
    const fault = errorIn((value as Record<string, unknown>)[key], inner, budget);
    if (fault) return fault;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
