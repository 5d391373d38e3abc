import { Injectable } from '@nestjs/common';
import { revokedToken } from '../auth.errors.js';
import type { AccessClaims, Identity } from '../identity.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { StreamTicketsService } from '../tokens/stream-tickets.service.js';
import { TokensService } from '../tokens/tokens.service.js';

/** Authenticates access tokens and stream tickets, for all transports. */
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
   * Consumes a stream ticket and returns the identity that it was issued to.
   * @throws {UnauthenticatedError} `unauthenticated`, `token_revoked`
   */
  async redeemTicket(ticket: string): Promise<Identity> {
    const { sessionId, accessExpiresAt } = await this.tickets.redeem(ticket);
    const found = sessionId === null ? null : await this.sessions.findWithUser(sessionId);
    if (!found) throw revokedToken();
    this.sessions.touch(found.session);
    return { ...found, expiresAt: accessExpiresAt.getTime() };
  }

  /** @throws {UnauthenticatedError} `token_revoked` if the session has ended or the user is deleted */
  async identify({ userId, sessionId, expiresAt }: AccessClaims): Promise<Identity> {
    const found = await this.sessions.findWithUser(sessionId);
    if (!found || found.user.id !== userId) throw revokedToken();
    this.sessions.touch(found.session);
    return { ...found, expiresAt };
  }
}
