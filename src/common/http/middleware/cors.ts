import type {
  CorsOptions,
  CorsOptionsDelegate,
} from '@nestjs/common/interfaces/external/cors-options.interface.js';
import type { Request, RequestHandler } from 'express';
import type { EdgeWarnings } from '../edge-warnings.js';

const OPTIONS: CorsOptions = {
  methods: ['GET', 'HEAD', 'POST'],
  allowedHeaders: ['Authorization', 'Content-Type', 'Last-Event-ID', 'X-Request-Id'],
  exposedHeaders: [
    'X-Request-Id',
    'Retry-After',
    'RateLimit-Limit',
    'RateLimit-Remaining',
    'RateLimit-Reset',
  ],
  maxAge: 600,
};

/** Allows exact origins. Credentials are not needed, because tokens travel in a header. */
export function corsOptions(
  origins: readonly string[],
  warnings: EdgeWarnings,
): CorsOptionsDelegate<Request> {
  return (request, callback) => {
    const { origin } = request.headers;
    const allowed = origin !== undefined && isOriginAllowed(origin, request, origins);
    if (origin !== undefined && !allowed) warnings.originRefused(origin, request);
    callback(null as never, { ...OPTIONS, origin: allowed });
  };
}

/** @param request with `protocol` and `host` from trusted proxies */
export function isOriginAllowed(
  origin: string,
  request: Pick<Request, 'protocol' | 'host'>,
  origins: readonly string[],
): boolean {
  const { protocol, host } = request;
  const isOwn = host !== undefined && origin.toLowerCase() === `${protocol}://${host}`;
  return isOwn || origins.includes(origin);
}

/** Set on all responses, so that no cache serves one origin's response to another. */
export const varyByOrigin: RequestHandler = (_request, response, next) => {
  response.vary('Origin');
  next();
};
