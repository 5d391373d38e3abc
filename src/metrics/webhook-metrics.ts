import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Counter, Gauge } from 'prom-client';
import { onMeasurement } from '../common/logging/measurements.js';
import { Settings } from '../env/settings.js';
import { WebhookDeliveries } from '../webhooks/webhook-deliveries.js';
import { Metrics } from './metrics.js';

@Injectable()
export class WebhookMetrics implements OnModuleInit, OnApplicationShutdown {
  private stopCounting?: () => void;

  constructor(
    private readonly metrics: Metrics,
    private readonly deliveries: WebhookDeliveries,
    private readonly settings: Settings,
  ) {}

  onModuleInit(): void {
    if (this.settings.webhookUrl === undefined) return;
    const { registers } = this.metrics;
    const attempts = new Counter({
      name: 'parley_webhook_attempts_total',
      help: 'Attempts of this node to deliver a webhook: delivered, failed, or dead if it was the last.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['delivered', 'failed', 'dead']) attempts.inc({ outcome }, 0);
    this.stopCounting = onMeasurement('webhook.attempted', (labels) => attempts.inc(labels));
    this.registerOldest();
  }

  onApplicationShutdown(): void {
    this.stopCounting?.();
  }

  private registerOldest(): void {
    const { deliveries, metrics } = this;
    new Gauge({
      name: 'parley_webhooks_oldest_pending_seconds',
      help: 'Age of the oldest webhook that is not delivered yet, of all nodes; NaN if the database is unavailable.',
      registers: metrics.registers,
      async collect() {
        this.set((await deliveries.oldestPendingMs().catch(() => NaN)) / 1000);
      },
    });
  }
}
