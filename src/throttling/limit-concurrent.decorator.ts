import {
  applyDecorators,
  CallHandler,
  ExecutionContext,
  Injectable,
  NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import { finalize, type Observable } from 'rxjs';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

type AuthenticatedRequest = Request & { user: { user: { id: number } } };

/**
 * Bounds how many long answers a user may wait for at once: each holds a connection, and some hold another to a
 * provider that may say nothing for as long as it likes. A rate alone would let these add up for minutes.
 */
@Injectable()
class ConcurrencyInterceptor implements NestInterceptor {
  constructor(private readonly limiter: ConcurrencyLimiter) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const { user } = http.getRequest<AuthenticatedRequest>().user;
    const release = this.limiter.acquire('long_responses', user.id, 'Too many answers are under way.');
    const response = http.getResponse<Response>();
    return next.handle().pipe(finalize(() => onceClosed(response, release)));
  }
}

/** The work's end is not the answer's, nor is the client's leaving the work's: a place is free after both. */
function onceClosed(response: Response, release: () => void): void {
  if (response.closed) release();
  else response.once('close', release);
}

/** A route whose answers may take minutes. */
export const LimitConcurrent = () => applyDecorators(UseInterceptors(ConcurrencyInterceptor));
