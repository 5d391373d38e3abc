import { z } from 'zod';

/** @returns the item's error, or null */
export type Check = (item: string) => string | null;

/**
 * Parses a variable. Error messages never contain its value, which may be a secret.
 * @param parse returns undefined for invalid text
 */
export function rule<T>(message: string, parse: (text: string) => T | undefined) {
  return z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue(message);
    return z.NEVER;
  });
}

/** Parses a comma-separated list. @param parse returns undefined for an invalid item */
export function list(message: string, parse: (item: string) => string | undefined) {
  return z.string().transform((text, context) =>
    splitList(text).map((item, index) => {
      const value = parse(item);
      if (value === undefined) context.addIssue(`item ${index + 1} ${message}`);
      return value ?? '';
    }),
  );
}

/** Parses a comma-separated list. */
export function checkedList(check: Check, messageIfAbsent?: string) {
  return z.string({ error: messageIfAbsent }).transform((text, context) => {
    const items = splitList(text);
    for (const [index, item] of items.entries()) {
      const error = check(item);
      if (error) context.addIssue(`item ${index + 1} ${error}`);
    }
    return items;
  });
}

function splitList(text: string): string[] {
  return text.split(',').map((item) => item.trim());
}

/** @returns undefined without a host or for another protocol */
export function parseUrl(text: string, protocols: readonly string[]): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.hostname && protocols.includes(url.protocol) ? url : undefined;
}
