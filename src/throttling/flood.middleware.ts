import type { Request, RequestHandler, Response } from 'express';
import { isProbe } from '../common/http/probes.js';
import { addressKey } from './address-key.js';
import { RateLimits } from './rate-limits.js';

/**
 * Refuses requests of an address over the `unauthenticated` limit before their bodies and tokens are read. Counts only
 * failed requests, so that users behind one NAT, whose calls and CORS preflights succeed, do not share a budget.
 */
export function refuseFloods(limits: RateLimits): RequestHandler {
  return async (request, response, next) => {
    // Probes from an address that is over the limit must still succeed.
    if (isProbe(request.path)) return next();
    const address = addressKey(request.ip);
    // Unlike `finish`, `close` is emitted when the client disconnects early, so such requests are counted too.
    response.once('close', () => {
      if (failedUnauthenticated(request, response)) void limits.tryConsume('unauthenticated', address);
    });
    const exhausted = await limits.isExhausted('unauthenticated', address);
    if (exhausted) await limits.consume('unauthenticated', address);
    next();
  };
}

function failedUnauthenticated(request: Request, response: Response): boolean {
  const signedIn = (request as { user?: unknown }).user !== undefined;
  return !signedIn && (response.statusCode >= 400 || !response.writableFinished);
}
