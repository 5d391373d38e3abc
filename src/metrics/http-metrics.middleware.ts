import { Injectable, NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { Histogram } from 'prom-client';
import { Metrics } from './metrics.js';

/** Times every request, by its route's pattern: an address as it was sent would make a series for every id. */
@Injectable()
export class HttpMetricsMiddleware implements NestMiddleware {
  private readonly requestSeconds: Histogram;

  constructor({ registers }: Metrics) {
    this.requestSeconds = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the request to the end of its answer; of an event stream, to its last event.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    });
  }

  use(request: Request, response: Response, next: NextFunction): void {
    const startedAt = performance.now();
    response.once('close', () => {
      const labels = { method: request.method, route: routeOf(request), status: response.statusCode };
      this.requestSeconds.observe(labels, (performance.now() - startedAt) / 1000);
    });
    next();
  }
}

/** While middleware runs, Express has its pattern there; a route's own is there when the answer ends. */
function routeOf(request: Request): string {
  const path: unknown = request.route?.path;
  return typeof path === 'string' ? path : 'none';
}
