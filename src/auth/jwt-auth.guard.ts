import { ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { noToken } from './auth.errors.js';
import { tokenError } from './tokens.service.js';

/** Global: every HTTP route needs a valid access token, but for those marked `@Public()`. */
@Injectable()
export class JwtAuthGuard extends AuthGuard('jwt') {
  constructor(private readonly reflector: Reflector) {
    super();
  }

  /** Sockets are authenticated in their handshake; Nest runs global guards on gateways too. */
  override canActivate(context: ExecutionContext) {
    if (context.getType() !== 'http' || this.isPublic(context)) return true;
    return super.canActivate(context);
  }

  /** @param info why the token was refused: passport's own Error where there was none, else jsonwebtoken's */
  override handleRequest<TIdentity>(error: unknown, identity: TIdentity | false, info: unknown): TIdentity {
    if (error) throw error;
    if (identity) return identity;
    throw isMissing(info) ? noToken() : tokenError(info);
  }

  private isPublic(context: ExecutionContext): boolean {
    const targets = [context.getHandler(), context.getClass()];
    return this.reflector.getAllAndOverride<boolean | undefined>('isPublic', targets) ?? false;
  }
}

const isMissing = (info: unknown) => info instanceof Error && info.message === 'No auth token';
