import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { hashToken, newToken } from '../../encryption/random-token.js';
import { invalidTicket } from '../auth.errors.js';
import type { Identity } from '../identity.js';
import { StreamTicketDto } from './stream-ticket.dto.js';
import { StreamTicket } from './stream-ticket.entity.js';
import { STREAM_TICKET_SECONDS } from '../sessions/token-lifetimes.js';

/** Issues one-time tickets for browsers' EventSource and WebSocket, which cannot set headers. */
@Injectable()
export class StreamTicketsService {
  constructor(@InjectRepository(StreamTicket) private readonly tickets: Repository<StreamTicket>) {}

  /** @param expiresAt expiry of the access token in milliseconds since the epoch; ends the stream */
  async issue({ session, expiresAt }: Omit<Identity, 'user'>): Promise<StreamTicketDto> {
    const ticket = newToken();
    const ticketExpiresAt = new Date(Math.min(Date.now() + STREAM_TICKET_SECONDS * 1000, expiresAt));
    await this.tickets.insert({
      tokenHash: hashToken(ticket),
      sessionId: session.id,
      expiresAt: ticketExpiresAt,
      accessExpiresAt: new Date(expiresAt),
    });
    return { ticket, expires_at: ticketExpiresAt.toISOString() };
  }

  /**
   * Deletes the ticket. Of simultaneous requests, on any node, the one whose delete affects the row succeeds.
   * @throws {UnauthenticatedError} `unauthenticated` for unknown, used and expired tickets alike
   */
  async redeem(ticket: string): Promise<StreamTicket> {
    const tokenHash = hashToken(ticket);
    const found = await this.tickets.findOneBy({ tokenHash });
    if (!found || found.expiresAt.getTime() <= Date.now()) throw invalidTicket();
    const { affected } = await this.tickets.delete({ tokenHash });
    if (affected !== 1) throw invalidTicket();
    return found;
  }
}
