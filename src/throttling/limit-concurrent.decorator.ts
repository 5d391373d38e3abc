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
 * Limits a user's concurrent long responses. Each holds a connection, and some hold another to a provider that may
 * stay silent for minutes, so that a rate limit alone would let them accumulate.
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

/** Called when the handler ends. Releases when the response is closed too: either may come first. */
function onceClosed(response: Response, release: () => void): void {
  if (response.closed) release();
  else response.once('close', release);
}

/** For routes whose responses may take minutes. */
export const LimitConcurrent = () => applyDecorators(UseInterceptors(ConcurrencyInterceptor));
