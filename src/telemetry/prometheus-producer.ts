import { type HrTime, ValueType } from '@opentelemetry/api';
import { hrTime, millisToHrTime } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { MetricObjectWithValues, MetricValue, MetricValueWithName, Registry } from 'prom-client';

type PrometheusMetric = MetricObjectWithValues<MetricValue<string>>;
type Sample = MetricValueWithName<string>;

const STARTED_AT = millisToHrTime(performance.timeOrigin);

/** Converts a Prometheus registry's counters, gauges and histograms to OTLP, under the same names. */
export class PrometheusProducer implements MetricProducer {
  constructor(
    private readonly registry: Registry,
    private readonly resource: Resource,
  ) {}

  async collect(): Promise<CollectionResult> {
    const now = hrTime();
    const converted = (await this.registry.getMetricsAsJSON()).map((metric) => toMetricData(metric, now));
    const metrics = converted.filter((metric) => metric !== null);
    const scopeMetrics = [{ scope: { name: 'parley' }, metrics }];
    return { resourceMetrics: { resource: this.resource, scopeMetrics }, errors: [] };
  }
}

function toMetricData(metric: PrometheusMetric, now: HrTime): MetricData | null {
  const { name, help, values } = metric;
  // prom-client's JSON has the name of the type; its types have a number.
  const type = String(metric.type);
  const common = {
    descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (type === 'counter')
    return {
      ...common,
      dataPointType: DataPointType.SUM,
      isMonotonic: true,
      dataPoints: numbers(values, now),
    };
  if (type === 'gauge')
    return { ...common, dataPointType: DataPointType.GAUGE, dataPoints: numbers(values, now) };
  if (type !== 'histogram') return null;
  return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints: histograms(metric, now) };
}

/** Leaves out NaN, which stands for an unavailable value. */
function numbers(values: MetricValue<string>[], now: HrTime): DataPoint<number>[] {
  return values
    .filter(({ value }) => !Number.isNaN(value))
    .map(({ value, labels }) => pointOf(labels, value, now));
}

function histograms({ name, values }: PrometheusMetric, now: HrTime): DataPoint<Histogram>[] {
  const series = new Map<string, Sample[]>();
  for (const sample of values as Sample[]) {
    const key = JSON.stringify(seriesLabels(sample));
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  return [...series.values()].map((samples) =>
    pointOf(seriesLabels(samples[0]!), histogramOf(name, samples), now),
  );
}

/** Prometheus counts each bucket's values and all smaller ones, OTLP each bucket's alone. */
function histogramOf(name: string, samples: Sample[]): Histogram {
  const valueOf = (suffix: string) =>
    samples.find(({ metricName }) => metricName === name + suffix)?.value ?? 0;
  const buckets = samples
    .filter(({ labels }) => labels.le !== undefined)
    .map(({ labels, value }) => ({ bound: labels.le === '+Inf' ? Infinity : Number(labels.le), value }))
    .sort((one, other) => one.bound - other.bound);
  const counts = buckets.map(({ value }, n) => value - (buckets[n - 1]?.value ?? 0));
  const boundaries = buckets.map(({ bound }) => bound).filter(Number.isFinite);
  return { buckets: { boundaries, counts }, sum: valueOf('_sum'), count: valueOf('_count') };
}

function seriesLabels({ labels: { le: _, ...labels } }: Sample): Sample['labels'] {
  return labels;
}

function pointOf<T>(labels: Sample['labels'], value: T, now: HrTime): DataPoint<T> {
  return { startTime: STARTED_AT, endTime: now, attributes: { ...labels }, value };
}

function unitOf(name: string): string {
  if (/_seconds(_total)?$/.test(name)) return 's';
  return /_bytes(_total)?$/.test(name) ? 'By' : '';
}
