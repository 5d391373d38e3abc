import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Identity } from './identity.js';

const identityOf = (context: ExecutionContext) =>
  context.switchToHttp().getRequest<Request & { user: Identity }>().user;

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
