import { Injectable, Logger, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { Settings } from '../env/settings.js';
import { Metrics } from '../metrics/metrics.js';

/** For the last export of a shutdown. */
const FLUSH_MS = 2000;
/** Between warnings about failed exports. */
const WARNING_INTERVAL_MS = 60_000;

/** Exports traces and metrics by OTLP. Loads the OpenTelemetry SDK only if an endpoint is set. */
@Injectable()
export class Telemetry implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger('Telemetry');
  private shutDown?: () => Promise<unknown>;
  private lastWarning = -Infinity;

  constructor(
    private readonly settings: Settings,
    private readonly metrics: Metrics,
  ) {}

  async onModuleInit(): Promise<void> {
    if (!this.settings.otlpEndpoint) return;
    const { startExport } = await import('./otlp-export.js');
    this.shutDown = startExport(this.metrics.registry, (message) => this.warn(message));
  }

  async onApplicationShutdown(): Promise<void> {
    const flushed = this.shutDown?.().catch(() => undefined);
    await Promise.race([flushed, delay(FLUSH_MS, undefined, { ref: false })]);
  }

  private warn(message: string): void {
    if (performance.now() - this.lastWarning < WARNING_INTERVAL_MS) return;
    this.lastWarning = performance.now();
    this.logger.warn(`Telemetry export failed: ${message}`);
  }
}
