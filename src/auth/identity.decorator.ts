import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Session } from './sessions/session.entity.js';
import { User } from './users/user.entity.js';

/** What an access token says, once it is verified. */
export interface AccessClaims {
  userId: number;
  sessionId: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** Who a valid access token speaks for: on HTTP it is `request.user`. */
export interface Identity {
  user: User;
  session: Session;
  /** When the access token runs out. Milliseconds since the epoch. */
  expiresAt: number;
}

/** What a connection that lives on keeps of it: neither a password's hash nor the rest that nobody needs by then. */
export function claimsOf({ user, session, expiresAt }: Identity): AccessClaims {
  return { userId: user.id, sessionId: session.id, expiresAt };
}

const identityOf = (context: ExecutionContext) =>
  context.switchToHttp().getRequest<Request & { user: Identity }>().user;

/** User, session and expiry of an HTTP request's access token. */
export const CurrentIdentity = createParamDecorator((_: unknown, context: ExecutionContext) =>
  identityOf(context),
);

/** The signed-in user of an HTTP request. */
export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext) => identityOf(context).user,
);

/** The login that the request's access token belongs to. */
export const CurrentSession = createParamDecorator(
  (_: unknown, context: ExecutionContext) => identityOf(context).session,
);
