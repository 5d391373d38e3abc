import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import express from 'express';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NotFoundError } from '../errors/errors.js';
import { requestSpan, traceRequests } from './request-tracing.js';
import { annotateSpan, injectTrace, traced, traceFields } from './tracing.js';

const exporter = new InMemorySpanExporter();
const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const traceparent = `00-${PARENT.traceId}-${PARENT.spanId}-01`;

beforeAll(() => {
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterEach(() => exporter.reset());
afterAll(() => [trace, context, propagation].forEach((api) => api.disable()));

describe('a request', () => {
  let server: Server;
  beforeAll(async () => {
    const app = express();
    app.use(traceRequests((path) => path === '/health'));
    app.get('/health', (_request, response) => void response.end());
    app.get('/items/:id', (request, response) => void response.status(Number(request.query.status)).end());
    app.get('/span', (_request, response) => void response.json(traceFields(requestSpan(response))));
    server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, { headers });

  it('is traced by its method, route and status, not by its URL', async () => {
    await (await get('/items/secret?status=201')).text();

    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'GET /items/:id', kind: SpanKind.SERVER });
    expect(span!.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span!.attributes).toEqual({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'http.route': '/items/:id',
      'http.response.status_code': 201,
    });
  });

  it.each([
    [499, SpanStatusCode.UNSET, undefined],
    [500, SpanStatusCode.ERROR, '500'],
    [503, SpanStatusCode.ERROR, '503'],
  ])('answered with %i has the status %i and the error %p', async (status, code, type) => {
    await (await get(`/items/1?status=${status}`)).text();

    const [span] = exporter.getFinishedSpans();
    expect(span!.status).toEqual({ code });
    expect(span!.attributes['error.type']).toBe(type);
  });

  it('without a route is named by its method', async () => {
    await (await get('/secret')).text();

    const [span] = exporter.getFinishedSpans();
    expect(span!.name).toBe('GET');
    expect(Object.keys(span!.attributes)).not.toContain('http.route');
  });

  it('continues the trace of its traceparent, which its log lines name', async () => {
    const body = await (await get('/span', { traceparent })).json();

    expect(body).toEqual({ trace_id: PARENT.traceId });
    expect(exporter.getFinishedSpans()[0]!.parentSpanContext).toMatchObject(PARENT);
  });

  it('of an excluded path is not traced', async () => {
    await (await get('/health')).text();

    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});

describe('work', () => {
  const options = { kind: SpanKind.CLIENT, attributes: { id: 1 } };

  it('is traced with what is added to its span, and continued by requests', async () => {
    const headers = new Headers();
    const result = await traced('work', options, async (span) => {
      annotateSpan({ tokens: 2 });
      injectTrace(headers);
      expect(traceFields()).toEqual({ trace_id: span.spanContext().traceId });
      return Promise.resolve('result');
    });

    expect(result).toBe('result');
    const [span] = exporter.getFinishedSpans();
    expect(span).toMatchObject({ name: 'work', kind: SpanKind.CLIENT, attributes: { id: 1, tokens: 2 } });
    expect(span!.status).toEqual({ code: SpanStatusCode.UNSET });
    const { traceId, spanId } = span!.spanContext();
    expect(headers.get('traceparent')).toBe(`00-${traceId}-${spanId}-01`);
  });

  it('that fails is traced by the code of the error', async () => {
    const error = new NotFoundError('conversation');
    await expect(traced('work', options, () => Promise.reject(error))).rejects.toBe(error);

    const [span] = exporter.getFinishedSpans();
    expect(span!.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span!.attributes).toEqual({ id: 1, 'error.type': error.code });
  });

  it('whose failure has no code is no error', async () => {
    const failing = traced(
      'work',
      options,
      () => Promise.reject(new Error('secret')),
      () => undefined,
    );
    await expect(failing).rejects.toThrow('secret');

    const [span] = exporter.getFinishedSpans();
    expect(span!.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span!.attributes).toEqual({ id: 1 });
  });

  it('outside of a trace has no trace id, and nothing to add to', () => {
    expect(traceFields()).toEqual({});
    expect(() => annotateSpan({ tokens: 2 })).not.toThrow();
  });
});
