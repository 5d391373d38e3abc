import type { FieldError } from '../errors/errors.js';

/** Deeper than any valid body, and safe for recursion. */
const MAX_DEPTH = 32;

/** More than any DTO can have (params are limited to 16 KiB): each member costs time to validate. */
const MAX_MEMBERS = 2500;

/**
 * Checks a body regardless of its DTO: values other than JSON (sockets carry binary), deep nesting, and inherited keys
 * such as `__proto__`, which libraries drop silently or follow.
 */
export function jsonError(value: unknown): FieldError | undefined {
  return errorIn(value, [], { membersLeft: Infinity });
}

/** Also limits the number of members, for bodies with a DTO. */
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
    const error = errorIn((value as Record<string, unknown>)[key], inner, budget);
    if (error) return error;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
