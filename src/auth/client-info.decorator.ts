import { createParamDecorator, ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';

export interface ClientInfo {
  /** Client address according to `TRUST_PROXY`; at most 45 characters. */
  address: string;
  /** `User-Agent` header, cut to 255 characters. */
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
