import { Injectable, NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { Metrics } from './metrics.js';

/** Times every request, by its route's pattern: an address as it was sent would make a series for every id. */
@Injectable()
export class HttpMetricsMiddleware implements NestMiddleware {
  constructor(private readonly metrics: Metrics) {}

  use(request: Request, response: Response, next: NextFunction): void {
    const startedAt = performance.now();
    response.once('close', () => {
      const labels = { method: request.method, route: routeOf(request), status: response.statusCode };
      this.metrics.httpRequestSeconds.observe(labels, (performance.now() - startedAt) / 1000);
    });
    next();
  }
}

/** While middleware runs, Express has its pattern there; a route's own is there when the answer ends. */
function routeOf(request: Request): string {
  const path: unknown = request.route?.path;
  return typeof path === 'string' ? path : 'none';
}
