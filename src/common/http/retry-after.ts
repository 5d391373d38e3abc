const SECONDS = /^\d+(\.\d+)?$/;

/**
 * Reads a `Retry-After` header: seconds or a date (RFC 9110 section 10.2.3), and fractions of a second, which some
 * providers send.
 * @returns milliseconds from now, not negative; undefined if it is neither
 */
export function parseRetryAfter(value: string | null | undefined): number | undefined {
  if (!value) return undefined;
  const ms = SECONDS.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
