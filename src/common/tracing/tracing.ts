import {
  type Attributes,
  context,
  propagation,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { toProblemError } from '../errors/problem.js';

/** Spans record nothing unless `src/telemetry/` has started the SDK. */
export const tracer = trace.getTracer('parley');

/**
 * Runs work in a span. Attributes hold ids, names and numbers only: errors are recorded by their code, because messages
 * may have a user's text.
 */
export function traced<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
  codeOf: (error: unknown) => string | undefined = problemCodeOf,
): Promise<T> {
  return tracer.startActiveSpan(name, options, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      recordError(span, codeOf(error));
      throw error;
    } finally {
      span.end();
    }
  });
}

/** @param code `error.type`; undefined records nothing */
export function recordError(span: Span, code: string | undefined): void {
  if (code === undefined) return;
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

export function annotateSpan(attributes: Attributes): void {
  trace.getActiveSpan()?.setAttributes(attributes);
}

/** Fields of a log line in a trace. */
export function traceFields(span = trace.getActiveSpan()): { trace_id?: string } {
  return span ? { trace_id: span.spanContext().traceId } : {};
}

/** Adds `traceparent` (W3C Trace Context) of the active span. */
export function injectTrace(headers: Headers): void {
  propagation.inject(context.active(), headers, {
    set: (carrier, name, value) => carrier.set(name, value),
  });
}

const problemCodeOf = (error: unknown) => toProblemError(error).code;
