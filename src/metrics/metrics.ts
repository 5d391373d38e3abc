import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';

export const METRICS_HEADERS = {
  'Content-Type': Registry.PROMETHEUS_CONTENT_TYPE,
  'Cache-Control': 'no-store',
};

/** The registry of Prometheus metrics, one per app, so that one process may run several apps. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  /** Option `registers` of new metrics. */
  readonly registers = [this.registry];

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
