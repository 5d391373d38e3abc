import { Injectable, NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { addressKey } from './address-key.js';
import { RateLimits } from './rate-limits.js';

/**
 * Bounds what an address can cost before anybody is signed in: over `unauthenticated`, its requests are answered
 * before their tokens are looked at. Only failures count, so that many users behind one NAT, whose calls and CORS
 * preflights succeed, are not held to the budget of one.
 */
@Injectable()
export class FloodMiddleware implements NestMiddleware {
  constructor(private readonly limits: RateLimits) {}

  async use(request: Request, response: Response, next: NextFunction): Promise<void> {
    const address = addressKey(request.ip);
    // Also closed is a response whose client did not stay for it: leaving early saves nobody from being counted.
    response.once('close', () => {
      if (failedUnknown(request, response)) void this.limits.take('unauthenticated', address);
    });
    const exhausted = await this.limits.isExhausted('unauthenticated', address);
    if (exhausted) await this.limits.consume('unauthenticated', address);
    next();
  }
}

function failedUnknown(request: Request, response: Response): boolean {
  const signedIn = (request as { user?: unknown }).user !== undefined;
  return !signedIn && (response.statusCode >= 400 || !response.writableFinished);
}
