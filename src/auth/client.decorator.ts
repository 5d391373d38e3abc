import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** Where a request comes from, as far as it can be told. */
export interface Client {
  /** The address that `TRUST_PROXY` lets us believe; at most 45 characters. */
  address: string;
  /** Whatever the client calls itself; at most 255 characters. */
  userAgent: string;
}

export const CurrentClient = createParamDecorator((_: unknown, context: ExecutionContext) =>
  clientOf(context.switchToHttp().getRequest<Request>()),
);

export function clientOf(request: Pick<Request, 'ip' | 'headers'>): Client {
  return {
    address: request.ip ?? '',
    userAgent: (request.headers['user-agent'] ?? '').slice(0, 255),
  };
}
