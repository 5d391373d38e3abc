import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api';
import type { Request, RequestHandler, Response } from 'express';
import { Observable } from 'rxjs';
import { recordError, tracer } from './tracing.js';

/** Starts a span for each request, as a child of its `traceparent`, except for excluded paths. */
export const traceRequests =
  (isExcluded: (path: string) => boolean): RequestHandler =>
  (request, response, next) => {
    if (isExcluded(request.path)) return next();
    const parent = propagation.extract(context.active(), request.headers);
    const attributes = { 'http.request.method': request.method, 'url.scheme': request.protocol };
    const span = tracer.startSpan(request.method, { kind: SpanKind.SERVER, attributes }, parent);
    response.locals.span = span;
    response.once('close', () => endRequestSpan(span, request, response));
    next();
  };

/** Runs a request's handler in the request's span. */
export class TracingInterceptor implements NestInterceptor {
  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (execution.getType() !== 'http') return next.handle();
    const span = requestSpan(execution.switchToHttp().getResponse<Response>());
    if (!span) return next.handle();
    const active = trace.setSpan(context.active(), span);
    return new Observable((subscriber) => context.with(active, () => next.handle().subscribe(subscriber)));
  }
}

export function requestSpan(response: Response): Span | undefined {
  return response.locals.span as Span | undefined;
}

/** The route is the pattern that matched: a raw URL may hold anything, secrets included. */
function endRequestSpan(span: Span, request: Request, response: Response): void {
  const route = (request.route as { path?: unknown } | undefined)?.path;
  if (typeof route === 'string') {
    span.updateName(`${request.method} ${route}`);
    span.setAttribute('http.route', route);
  }
  span.setAttribute('http.response.status_code', response.statusCode);
  if (response.statusCode >= 500) recordError(span, String(response.statusCode));
  span.end();
}
