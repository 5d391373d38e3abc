import { CallHandler, ExecutionContext, Injectable, NestInterceptor } from '@nestjs/common';
import type { Request, RequestHandler, Response } from 'express';
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Observable } from 'rxjs';
import { requestSpan } from '../tracing/request-tracing.js';
import { traceFields } from '../tracing/tracing.js';

/** Set by the auth guard. */
interface Authenticated {
  user?: { user?: { id: number }; session?: { id: number } };
}

interface RequestLocals extends Record<string, unknown> {
  requestLine: RequestLine;
}

const VALID_ID = /^[\w.-]{8,64}$/;

/**
 * Assigns the request id, also sent as `X-Request-Id`. Logs the requests that reach no handler: unknown routes, and
 * those refused by middleware or by a guard.
 */
export function requestLog(logger: Logger): RequestHandler {
  return (request, response, next) => {
    response.setHeader('X-Request-Id', requestId(request));
    const line = new RequestLine(request, response);
    (response.locals as RequestLocals).requestLine = line;
    line.writeOnClose(logger);
    next();
  };
}

/** Logs the requests that reach a handler, each as one line once its response has closed. */
@Injectable()
export class LoggingInterceptor implements NestInterceptor {
  constructor(private readonly logger: Logger) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() === 'http') {
      const response = context.switchToHttp().getResponse<Response<unknown, RequestLocals>>();
      const line = response.locals.requestLine;
      line.handler = `${context.getClass().name}.${context.getHandler().name}`;
      line.writeOnClose(this.logger);
    }
    return next.handle();
  }
}

class RequestLine {
  handler?: string;
  private write = () => {};
  private readonly startedAt = performance.now();
  /** Unavailable once the socket is closed. */
  private readonly address: string | undefined;
  private delivered = false;

  constructor(
    private readonly request: Request,
    private readonly response: Response,
  ) {
    this.address = request.ip;
    // A response also finishes after its client has disconnected.
    response.once('finish', () => (this.delivered = !request.socket.destroyed));
  }

  /** Replaces an earlier call, so that a request has one line. */
  writeOnClose(logger: Logger): void {
    this.response.off('close', this.write);
    this.write = () => logger[levelOf(this.response.statusCode)](this.fields(), 'request');
    this.response.once('close', this.write);
  }

  /** The route is the pattern that matched: a raw URL may hold anything, secrets included. */
  private fields() {
    const { request, response } = this;
    const { user } = request as Authenticated;
    return {
      request_id: response.getHeader('X-Request-Id'),
      ...traceFields(requestSpan(response)),
      method: request.method,
      route: (request.route as { path?: string } | undefined)?.path ?? '(none)',
      handler: this.handler,
      status: response.statusCode,
      user_id: user?.user?.id,
      session_id: user?.session?.id,
      duration_ms: Math.round((performance.now() - this.startedAt) * 10) / 10,
      address: this.address,
      aborted: this.delivered ? undefined : true,
    };
  }
}

/** Error for faults of this server alone: 502 is a provider's, 503 also a draining node's. */
export function levelOf(status: number): 'error' | 'warn' | 'info' {
  if (status === 500) return 'error';
  return status > 500 ? 'warn' : 'info';
}

function requestId(request: Request): string {
  const own = request.get('X-Request-Id');
  return own && VALID_ID.test(own) ? own : randomUUID();
}
