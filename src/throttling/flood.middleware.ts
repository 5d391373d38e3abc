import type { Request, RequestHandler, Response } from 'express';
import { isProbe } from '../common/http/probes.js';
import { addressKey } from './address-key.js';
import { RateLimits } from './rate-limits.js';

/**
 * Bounds what an address can cost before anybody is signed in: over `unauthenticated`, its requests are answered
 * before their bodies are read and their tokens looked at. Only failures count, so that many users behind one NAT,
 * whose calls and CORS preflights succeed, are not held to the budget of one.
 */
export function refuseFloods(limits: RateLimits): RequestHandler {
  return async (request, response, next) => {
    // A prober that shares its address with a flood must not take the server for dead.
    if (isProbe(request.path)) return next();
    const address = addressKey(request.ip);
    // Also closed is a response whose client did not stay for it: leaving early saves nobody from being counted.
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
