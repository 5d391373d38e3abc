import type { FieldError } from './errors.js';

/** Deeper than anything we are sent has a reason to be, and far from where recursion over it would fail. */
const MAX_DEPTH = 32;

/**
 * What no body may have, whatever its DTO: values that are not JSON's own (sockets carry binary), nesting without
 * end, and keys that objects inherit, such as `__proto__`, which libraries would drop unseen or follow.
 */
export function jsonFault(value: unknown, path: string[] = []): FieldError | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const field = path.join('.') || 'body';
  if (path.length > MAX_DEPTH) return { field, message: 'Must not be nested this deep.' };
  if (!Array.isArray(value) && !isPlain(value)) return { field, message: 'Must be JSON.' };
  for (const key of Object.keys(value)) {
    const inner = [...path, key];
    if (key in Object.prototype) return { field: inner.join('.'), message: 'Must not exist.' };
    const fault = jsonFault((value as Record<string, unknown>)[key], inner);
    if (fault) return fault;
  }
  return undefined;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
