import { isIP } from 'node:net';
import { z } from 'zod';
import { list, rule } from './rule.js';

/** Node's timers fire immediately above 2^31 - 1 ms. */
const MAX_SECONDS = 2_147_483;

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: `must be one of ${values.join(', ')}` });
}

export const trueOrFalse = rule('must be true or false', (text) => {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  return undefined;
});

export const port = rule('must be a whole number from 0 to 65535', (text) => {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
});

/** More connections than MySQL's default `max_connections` leaves for others. */
export const poolSize = wholeNumber(1, 1000);

export const retentionDays = wholeNumber(1, 36_500);

/** In MiB. */
export const storageLimit = wholeNumber(1, 100_000_000);

export const nonNegativeNumber = rule('must be a number, 0 or more', parseDecimal);

export const seconds = rule(`must be a number of seconds, 0 to ${MAX_SECONDS}`, parseSeconds);

export const positiveSeconds = rule(
  `must be a number of seconds above 0, to ${MAX_SECONDS}`,
  (text) => parseSeconds(text) || undefined,
);

function wholeNumber(min: number, max: number) {
  return rule(`must be a whole number from ${min} to ${max}`, (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

function parseSeconds(text: string): number | undefined {
  const value = parseDecimal(text);
  return value !== undefined && value <= MAX_SECONDS ? value : undefined;
}

function parseDecimal(text: string): number | undefined {
  const value = Number(text);
  return /^\d+(\.\d+)?$/.test(text) && Number.isFinite(value) ? value : undefined;
}

export const host = rule('must be an address or a host name to listen on', (text) => {
  return isIP(text) || /^[a-z\d]([a-z\d.-]*[a-z\d])?$/i.test(text) ? text : undefined;
});

/** `address` or `Name <address>`; a line break would add a header. */
export const mailSender = rule('must be an email address, or Name <address>', (text) =>
  /^([^<>\p{Control}]* <)?[^\s<>@,;]+@[^\s<>@,;]+>?$/u.test(text) && text.includes('<') === text.endsWith('>')
    ? text
    : undefined,
);

export const emails = list('is not an email address', (item) =>
  /^[^\s@]+@[^\s@]+$/u.test(item) ? item : undefined,
);
