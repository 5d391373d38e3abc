import { context, diag, DiagLogLevel, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  getNumberFromEnv,
  getStringFromEnv,
  setGlobalErrorHandler,
  W3CTraceContextPropagator,
} from '@opentelemetry/core';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  hostDetector,
  type Resource,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Registry } from 'prom-client';
import { PrometheusProducer } from './prometheus-producer.js';

/**
 * Starts the SDK, which reads the `OTEL_*` variables of the OpenTelemetry specification.
 * @param onError receives failures of exports, without attributes
 * @returns exports what is left and stops
 */
export function startExport(registry: Registry, onError: (message: string) => void): () => Promise<unknown> {
  setGlobalErrorHandler((error) => onError(messageOf(error)));
  diag.setLogger(diagLogger(onError), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const resource = detectResource();
  const providers = [
    ...(isExported('OTEL_TRACES_EXPORTER') ? [startTraces(resource)] : []),
    ...(isExported('OTEL_METRICS_EXPORTER') ? [startMetrics(resource, registry)] : []),
  ];
  return () => {
    [trace, context, propagation, metrics].forEach((api) => api.disable());
    return Promise.all(providers.map((provider) => provider.shutdown()));
  };
}

const isExported = (variable: string) => getStringFromEnv(variable) !== 'none';

/** The environment wins. The process detector is left out, because arguments may have secrets. */
function detectResource(): Resource {
  const detectors = [serviceInstanceIdDetector, hostDetector, envDetector];
  return defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'parley' }))
    .merge(detectResources({ detectors }));
}

/** Without W3C Baggage, which would forward a client's text to a provider. */
function startTraces(resource: Resource): BasicTracerProvider {
  const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
  const provider = new BasicTracerProvider({ resource, spanProcessors });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return provider;
}

function startMetrics(resource: Resource, registry: Registry): MeterProvider {
  const exportIntervalMillis = getNumberFromEnv('OTEL_METRIC_EXPORT_INTERVAL') ?? 60_000;
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(
      getNumberFromEnv('OTEL_METRIC_EXPORT_TIMEOUT') ?? 30_000,
      exportIntervalMillis,
    ),
    metricProducers: [new PrometheusProducer(registry, resource)],
  });
  return new MeterProvider({ resource, readers: [reader] });
}

function diagLogger(onError: (message: string) => void) {
  const ignore = () => undefined;
  return { error: onError, warn: onError, info: ignore, debug: ignore, verbose: ignore };
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : 'unknown error');
