import { Injectable } from '@nestjs/common';
import { revokedToken } from './auth.errors.js';
import type { AccessClaims, Identity } from './identity.js';
import { SessionsService } from './sessions/sessions.service.js';
import { StreamTicketsService } from './tokens/stream-tickets.service.js';
import { TokensService } from './tokens/tokens.service.js';

/** Tells whom an access token speaks for, over every transport. */
@Injectable()
export class AuthService {
  constructor(
    private readonly tokens: TokensService,
    private readonly sessions: SessionsService,
    private readonly tickets: StreamTicketsService,
  ) {}

  /** @throws {UnauthenticatedError} `unauthenticated`, `token_expired`, `token_revoked` */
  async authenticate(accessToken: string): Promise<Identity> {
    return this.identify(this.tokens.verify(accessToken));
  }

  /**
   * The identity that a ticket was issued to; the ticket is used up.
   * @throws {UnauthenticatedError} `unauthenticated`, `token_revoked`
   */
  async redeemTicket(ticket: string): Promise<Identity> {
    const { sessionId, accessExpiresAt } = await this.tickets.redeem(ticket);
    const found = sessionId === null ? null : await this.sessions.findWithUser(sessionId);
    if (!found) throw revokedToken();
    this.sessions.touch(found.session);
    return { ...found, expiresAt: accessExpiresAt.getTime() };
  }

  /** @throws {UnauthenticatedError} `token_revoked` once the session has ended, or the user is gone */
  async identify({ userId, sessionId, expiresAt }: AccessClaims): Promise<Identity> {
    const found = await this.sessions.findWithUser(sessionId);
    if (!found || found.user.id !== userId) throw revokedToken();
    this.sessions.touch(found.session);
    return { ...found, expiresAt };
  }
}
