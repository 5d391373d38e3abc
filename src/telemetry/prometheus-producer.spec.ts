import { expect, it } from '@jest/globals';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType, type ScopeMetrics } from '@opentelemetry/sdk-metrics';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { PrometheusProducer } from './prometheus-producer.js';

const registry = new Registry();
const resource = resourceFromAttributes({ 'service.name': 'test' });
const registers = [registry];

/** @returns the metric of a name, as exported */
async function exported(name: string) {
  const { resourceMetrics, errors } = await new PrometheusProducer(registry, resource).collect();
  expect(errors).toEqual([]);
  expect(resourceMetrics.resource).toBe(resource);
  const [{ scope, metrics }] = resourceMetrics.scopeMetrics as [ScopeMetrics];
  expect(scope).toEqual({ name: 'parley' });
  return metrics.find(({ descriptor }) => descriptor.name === name);
}

it('exports a counter as a monotonic sum', async () => {
  const counter = new Counter({ name: 'sent_total', help: 'Sent', labelNames: ['outcome'], registers });
  counter.inc({ outcome: 'ok' }, 3);
  counter.inc({ outcome: 'failed' });

  const metric = await exported('sent_total');
  expect(metric).toMatchObject({
    descriptor: { name: 'sent_total', description: 'Sent', unit: '' },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: [
      { attributes: { outcome: 'ok' }, value: 3 },
      { attributes: { outcome: 'failed' }, value: 1 },
    ],
  });
});

it('exports the time of the export, and of the start of the process', async () => {
  new Gauge({ name: 'time', help: 'Time', registers }).set(1);
  const before = Date.now();
  const { startTime, endTime } = (await exported('time'))!.dataPoints[0]!;

  expect(endTime[0]).toBeGreaterThanOrEqual(Math.floor(before / 1000));
  expect(endTime[0]).toBeLessThanOrEqual(Date.now() / 1000);
  expect(startTime[0]).toBe(Math.floor(performance.timeOrigin / 1000));
});

it('exports a gauge, without a value that is unavailable', async () => {
  const gauge = new Gauge({ name: 'waiting', help: 'Waiting', labelNames: ['queue'], registers });
  gauge.set({ queue: 'mails' }, 7);
  gauge.set({ queue: 'webhooks' }, NaN);

  const metric = await exported('waiting');
  expect(metric).toMatchObject({ dataPointType: DataPointType.GAUGE });
  expect(metric!.dataPoints).toMatchObject([{ attributes: { queue: 'mails' }, value: 7 }]);
});

it('exports a histogram with the values of each bucket alone, a series by its labels', async () => {
  const histogram = new Histogram({
    ...{ name: 'wait_seconds', help: 'Wait', labelNames: ['method'], registers },
    buckets: [1, 2, 10],
  });
  for (const value of [0.5, 0.5, 1.5, 20]) histogram.observe({ method: 'GET' }, value);
  histogram.observe({ method: 'POST' }, 3);

  const metric = await exported('wait_seconds');
  expect(metric).toMatchObject({
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPointType: DataPointType.HISTOGRAM,
  });
  const boundaries = [1, 2, 10];
  expect(metric!.dataPoints.map(({ attributes, value }) => ({ attributes, value }))).toEqual([
    {
      attributes: { method: 'GET' },
      value: { buckets: { boundaries, counts: [2, 1, 0, 1] }, sum: 22.5, count: 4 },
    },
    {
      attributes: { method: 'POST' },
      value: { buckets: { boundaries, counts: [0, 0, 1, 0] }, sum: 3, count: 1 },
    },
  ]);
});

it.each([
  ['process_seconds', 's'],
  ['process_seconds_total', 's'],
  ['heap_bytes', 'By'],
  ['read_bytes_total', 'By'],
  ['seconds_of_heap', ''],
  ['bytes_of_heap', ''],
])('exports %s with the unit %p', async (name, unit) => {
  new Gauge({ name, help: 'Help', registers }).set(1);

  expect((await exported(name))!.descriptor.unit).toBe(unit);
});

it('leaves out summaries', async () => {
  new Summary({ name: 'summary', help: 'Summary', registers }).observe(1);

  expect(await exported('summary')).toBeUndefined();
});
