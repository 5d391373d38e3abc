import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { Actor } from './actor.js';
import { clientInfoOf } from './client-info.decorator.js';
import type { Identity } from './identity.js';

const requestOf = (context: ExecutionContext) =>
  context.switchToHttp().getRequest<Request & { user: Identity }>();

const identityOf = (context: ExecutionContext) => requestOf(context).user;

/** The user, session and expiry of an HTTP request's access token. */
export const CurrentIdentity = createParamDecorator((_: unknown, context: ExecutionContext) =>
  identityOf(context),
);

export const CurrentUser = createParamDecorator(
  (_: unknown, context: ExecutionContext) => identityOf(context).user,
);

export const CurrentSession = createParamDecorator(
  (_: unknown, context: ExecutionContext) => identityOf(context).session,
);

/** The user and session of an HTTP request, with the client's address. */
export const CurrentActor = createParamDecorator((_: unknown, context: ExecutionContext): Actor => {
  const { user, session } = identityOf(context);
  return new Actor(user, session, clientInfoOf(requestOf(context)));
});
