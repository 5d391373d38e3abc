import { expect, it } from '@jest/globals';
import { type Measurements, publishMeasurement } from '../common/logging/measurements.js';
import type { Settings } from '../env/settings.js';
import type { WebhookDeliveries } from '../webhooks/webhook-deliveries.js';
import { FileMetrics } from './file-metrics.js';
import { FlowMetrics } from './flow-metrics.js';
import { Metrics } from './metrics.js';
import { WebhookMetrics } from './webhook-metrics.js';

const EACH: Measurements = {
  'reply.ended': { status: 'complete' },
  'reply.first-text': { seconds: 1 },
  'replies.flushed': { seconds: 1, rows: 3 },
  'send.refused': { code: 'quota_exceeded' },
  'upload.ended': { result: 'stored', bytes: 7 },
  'storage.failed': {},
  'storage.deleted': {},
  'upstream.requested': {},
  'upstream.retried': {},
  'upstream.first-text': { hostClass: 'other', seconds: 1 },
  'webhook.attempted': { outcome: 'dead' },
};
const publishEach = () =>
  Object.entries(EACH).forEach(([name, measured]) =>
    publishMeasurement(name as keyof Measurements, measured as never),
  );

it('measurements are counted until the shutdown', async () => {
  const metrics = new Metrics();
  const deliveries = { oldestPendingMs: () => Promise.resolve(2500) } as WebhookDeliveries;
  const settings = { webhookUrl: 'https://example.com' } as Settings;
  const parts = [
    new FlowMetrics(metrics),
    new FileMetrics(metrics),
    new WebhookMetrics(metrics, deliveries, settings),
  ];
  /** Samples that are not zero, without those of the process and the buckets. */
  const counted = async () =>
    (await metrics.registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('parley_') && !/_bucket| 0$/.test(line))
      .sort();

  const before = await counted();
  parts.forEach((part) => part.onModuleInit());
  publishEach();
  const after = await counted();
  expect(after.filter((line) => !before.includes(line))).toEqual([
    'parley_first_token_seconds_count 1',
    'parley_first_token_seconds_sum 1',
    'parley_replies_ended_total{status="complete"} 1',
    'parley_reply_flush_seconds_count 1',
    'parley_reply_flush_seconds_sum 1',
    'parley_reply_flushed_rows_total 3',
    'parley_sends_refused_total{code="quota_exceeded"} 1',
    'parley_storage_deleted_total 1',
    'parley_storage_failures_total 1',
    'parley_uploaded_bytes_total 7',
    'parley_uploads_total{result="stored"} 1',
    'parley_upstream_attempts_total 1',
    'parley_upstream_first_token_seconds_count{host="other"} 1',
    'parley_upstream_first_token_seconds_sum{host="other"} 1',
    'parley_upstream_retries_total 1',
    'parley_webhook_attempts_total{outcome="dead"} 1',
    'parley_webhooks_oldest_pending_seconds 2.5',
  ]);

  parts.forEach((part) => part.onApplicationShutdown());
  publishEach();
  expect(await counted()).toEqual(after);
});
