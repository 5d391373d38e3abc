import type { IncomingMessage } from 'node:http';
import { invalidToken } from '../auth.errors.js';

/**
 * The access token of the Authorization header, which is the only place where one is looked for (RFC 6750 section
 * 2.1): not in the query, which ends up in logs and histories.
 * @returns null where none is sent
 * @throws {UnauthenticatedError} when the header is doubled, so that no two readers can disagree about it
 */
export function bearerToken(request: IncomingMessage): string | null {
  const [header, ...others] = request.headersDistinct.authorization ?? [];
  if (others.length > 0) throw invalidToken();
  return header?.match(/^Bearer +(\S+) *$/i)?.[1] ?? null;
}
