import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Registry } from 'prom-client';

/** What the process tells Prometheus. Every app has a registry of its own, so that one process may run several. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  /** What a metric is made with, to be in the registry. */
  readonly registers = [this.registry];

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
