import { Injectable, NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { Histogram } from 'prom-client';
import { Metrics } from './metrics.js';

/** Measures every request by its route's pattern: raw paths would create a series per id. */
@Injectable()
export class HttpMetricsMiddleware implements NestMiddleware {
  private readonly requestSeconds: Histogram;

  constructor({ registers }: Metrics) {
    this.requestSeconds = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the request to the end of its response, event streams included.',
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

/** Read when the response ends: before, it is the middleware's pattern. */
function routeOf(request: Request): string {
  const path: unknown = request.route?.path;
  return typeof path === 'string' ? path : 'none';
}
