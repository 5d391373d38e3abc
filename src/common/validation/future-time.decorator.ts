import { isRFC3339, ValidateBy } from 'class-validator';

/** MySQL's DATETIME ends with the year 9999. */
const LATEST = Date.parse('9999-01-01T00:00:00Z');

/** Validates an RFC 3339 time that is in the future. */
export const IsFutureTime = (): PropertyDecorator =>
  ValidateBy(
    { name: 'isFutureTime', validator: { validate: isFutureTime } },
    { message: 'Must be a time in the future, such as 2126-01-31T09:30:00.000Z.' },
  );

function isFutureTime(value: unknown): boolean {
  const time = typeof value === 'string' && isRFC3339(value) ? Date.parse(value) : NaN;
  return time > Date.now() && time < LATEST;
}
