import { SetMetadata } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { invalidTicket } from './auth.errors.js';

export const TICKET_METADATA = 'accepts-ticket';

/** Lets a route be called with `?ticket=` in place of an access token. */
export const AcceptsTicket = () => SetMetadata(TICKET_METADATA, true);

/**
 * Reads `?ticket=` from a request's URL.
 * @throws {UnauthenticatedError} when it is repeated, so that no two readers can disagree about it
 */
export function ticketOf({ url = '' }: IncomingMessage): string | undefined {
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const [ticket, ...others] = new URLSearchParams(query).getAll('ticket');
  if (others.length > 0) throw invalidTicket();
  return ticket;
}
