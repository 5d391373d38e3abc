import type { IncomingMessage } from 'node:http';
import { invalidTicket, invalidToken } from '../auth.errors.js';

/**
 * The access token of the Authorization header, which is the only place where one is looked for (RFC 6750 section
 * 2.1): not in the query, which ends up in logs and histories.
 * @returns null where none is sent
 * @throws {UnauthenticatedError} when the header is doubled, so that no two readers can disagree about it
 */
export function bearerTokenOf(request: IncomingMessage): string | null {
  const [header, ...others] = request.headersDistinct.authorization ?? [];
  if (others.length > 0) throw invalidToken();
  return header?.match(/^Bearer +(\S+) *$/i)?.[1] ?? null;
}

/**
 * Reads `?ticket=` from a request's URL.
 * @throws {UnauthenticatedError} when it is repeated, so that no two readers can disagree about it
 */
export function streamTicketOf({ url = '' }: IncomingMessage): string | undefined {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const [ticket, ...others] = new URLSearchParams(query).getAll('ticket');
  if (others.length > 0) throw invalidTicket();
  return ticket;
}
