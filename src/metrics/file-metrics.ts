import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Counter } from 'prom-client';
import { onMeasurement } from '../common/logging/measurements.js';
import { Metrics } from './metrics.js';

/** Counts uploads, and failures and deletions of the storage of files. */
@Injectable()
export class FileMetrics implements OnModuleInit, OnApplicationShutdown {
  private subscriptions: (() => void)[] = [];

  constructor(private readonly metrics: Metrics) {}

  onModuleInit(): void {
    const { registers } = this.metrics;
    const uploads = new Counter({
      name: 'parley_uploads_total',
      help: 'Uploads of files: stored, or the code of their problem.',
      labelNames: ['result'],
      registers,
    });
    uploads.inc({ result: 'stored' }, 0);
    const bytes = this.counter('parley_uploaded_bytes_total', 'Bytes of stored uploads, as they are served.');
    const failures = this.counter('parley_storage_failures_total', 'Calls of the storage that failed.');
    const deleted = this.counter('parley_storage_deleted_total', 'Contents deleted from the storage.');
    this.subscriptions = [
      onMeasurement('upload.ended', (upload) => {
        uploads.inc({ result: upload.result });
        bytes.inc(upload.bytes);
      }),
      onMeasurement('storage.failed', () => failures.inc()),
      onMeasurement('storage.deleted', () => deleted.inc()),
    ];
  }

  onApplicationShutdown(): void {
    this.subscriptions.forEach((end) => end());
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: this.metrics.registers });
  }
}
