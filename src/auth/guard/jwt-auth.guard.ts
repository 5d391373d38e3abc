import { ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { Request } from 'express';
import { missingToken } from '../auth.errors.js';
import { AuthService } from './auth.service.js';
import { bearerTokenOf, streamTicketOf } from '../tokens/request-tokens.js';
import type { Identity } from '../identity.js';
import { ACCEPTS_TICKET } from '../accepts-ticket.decorator.js';
import { IS_PUBLIC } from '../public.decorator.js';
import { tokenError } from '../tokens/tokens.service.js';

/**
 * Global guard: HTTP routes require a valid access token, except those marked `@Public()`. Routes marked
 * `@AcceptsTicket()` accept a stream ticket instead.
 */
@Injectable()
export class JwtAuthGuard extends AuthGuard('jwt') {
  constructor(
    private readonly reflector: Reflector,
    private readonly auth: AuthService,
  ) {
    super();
  }

  /** Skips gateways: Nest runs global guards on them too, but sockets are authenticated in their handshake. */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || this.isMarked(IS_PUBLIC, context)) return true;
    const request = context.switchToHttp().getRequest<Request & { user?: Identity }>();
    // The Authorization header takes precedence and leaves the ticket unused.
    const acceptsTicket = this.isMarked(ACCEPTS_TICKET, context) && bearerTokenOf(request) === null;
    const ticket = acceptsTicket ? streamTicketOf(request) : undefined;
    if (ticket === undefined) return super.canActivate(context) as Promise<boolean>;
    request.user = await this.auth.redeemTicket(ticket);
    return true;
  }

  /** @param info passport's error if the token is missing, jsonwebtoken's if it is invalid */
  override handleRequest<TIdentity>(error: unknown, identity: TIdentity | false, info: unknown): TIdentity {
    if (error) throw error;
    if (identity) return identity;
    throw isMissing(info) ? missingToken() : tokenError(info);
  }

  private isMarked(metadata: string, context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    return this.reflector.getAllAndOverride<boolean | undefined>(metadata, targets) ?? false;
  }
}

const isMissing = (info: unknown) => info instanceof Error && info.message === 'No auth token';
