import type { IncomingMessage } from 'node:http';
import { invalidTicket, invalidToken } from '../auth.errors.js';

/**
 * Reads the access token from the Authorization header (RFC 6750 section 2.1), never from the query, which is logged.
 * @returns null if there is none
 * @throws {UnauthenticatedError} if the header is repeated, because proxies may disagree about which one counts
 */
export function bearerTokenOf(request: IncomingMessage): string | null {
  const [header, ...others] = request.headersDistinct.authorization ?? [];
  if (others.length > 0) throw invalidToken();
  return header?.match(/^Bearer +(\S+) *$/i)?.[1] ?? null;
}

/**
 * Reads `?ticket=` from a request's URL.
 * @throws {UnauthenticatedError} if it is repeated, because proxies may disagree about which one counts
 */
export function streamTicketOf({ url = '' }: IncomingMessage): string | undefined {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const [ticket, ...others] = new URLSearchParams(query).getAll('ticket');
  if (others.length > 0) throw invalidTicket();
  return ticket;
}
