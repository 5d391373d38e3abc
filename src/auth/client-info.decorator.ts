import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

/** Where a request comes from, as far as it can be told. */
export interface ClientInfo {
  /** The address that `TRUST_PROXY` lets us believe; at most 45 characters. */
  address: string;
  /** Whatever the client calls itself; at most 255 characters. */
  userAgent: string;
}

export const CurrentClientInfo = createParamDecorator((_: unknown, context: ExecutionContext) =>
  clientInfoOf(context.switchToHttp().getRequest<Request>()),
);

export function clientInfoOf(request: Pick<Request, 'ip' | 'headers'>): ClientInfo {
  return {
    address: request.ip ?? '',
    userAgent: (request.headers['user-agent'] ?? '').slice(0, 255),
  };
}
