import { CallHandler, ExecutionContext, Injectable, NestInterceptor } from '@nestjs/common';
import type { Request, RequestHandler, Response } from 'express';
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Observable } from 'rxjs';

/** What authentication leaves on a request; common code knows no more of it. */
interface Authenticated {
  user?: { user?: { id: number }; session?: { id: number } };
}

const SANE_ID = /^[\w.-]{8,64}$/;

/**
 * Names the request, on its answer too, and logs one line when it is over. The route is the pattern that matched,
 * since a raw URL may hold what a stranger typed. Middleware, so that what guards refuse is logged as well.
 */
export function requestLog(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const { ip: address } = request;
    response.setHeader('X-Request-Id', requestId(request));
    let delivered = false;
    // An answer may also be ended when its client has left already.
    response.once('finish', () => (delivered = !request.socket.destroyed));
    response.once('close', () => {
      const aborted = delivered ? undefined : true;
      const line = { ...describe(request, response), duration_ms: msSince(startedAt), address, aborted };
      logger[levelOf(response.statusCode)](line, 'request');
    });
    next();
  };
}

/** Puts the handler's name on the request's log line. */
@Injectable()
export class LoggingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') {
      const { locals } = context.switchToHttp().getResponse<Response>();
      locals.handler = `${context.getClass().name}.${context.getHandler().name}`;
    }
    return next.handle();
  }
}

/** An error is a fault of this server; 502 is a provider's, and 503 also a node's that is leaving. */
export function levelOf(status: number): 'error' | 'warn' | 'info' {
  if (status === 500) return 'error';
  return status > 500 ? 'warn' : 'info';
}

function requestId(request: Request): string {
  const own = request.get('X-Request-Id');
  return own && SANE_ID.test(own) ? own : randomUUID();
}

function describe(request: Request, response: Response) {
  const { user } = request as Authenticated;
  return {
    request_id: response.getHeader('X-Request-Id'),
    method: request.method,
    route: (request.route as { path?: string } | undefined)?.path ?? '(none)',
    handler: response.locals.handler as string | undefined,
    status: response.statusCode,
    user_id: user?.user?.id,
    session_id: user?.session?.id,
  };
}

const msSince = (startedAt: number) => Math.round((performance.now() - startedAt) * 10) / 10;
