import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What the process tells Prometheus. Every app has a registry of its own, so that one process may run several. */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  private readonly registers = [this.registry];

  readonly httpRequestSeconds = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'From the request to the end of its answer; of an event stream, to its last event.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: this.registers,
  });

  readonly repliesRunning = new Gauge({
    name: 'parley_replies_running',
    help: 'Replies that this node streams now.',
    registers: this.registers,
  });

  readonly repliesEnded = new Counter({
    name: 'parley_replies_ended_total',
    help: 'Replies that have ended, by their final status.',
    labelNames: ['status'],
    registers: this.registers,
  });

  readonly upstreamAttempts = new Counter({
    name: 'parley_upstream_attempts_total',
    help: 'Requests to model providers, retries included.',
    registers: this.registers,
  });

  readonly upstreamRetries = new Counter({
    name: 'parley_upstream_retries_total',
    help: 'Requests to model providers that repeat a failed one.',
    registers: this.registers,
  });

  readonly firstTokenSeconds = new Histogram({
    name: 'parley_first_token_seconds',
    help: 'From a send to the first token of its reply.',
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: this.registers,
  });

  readonly socketsConnected = new Gauge({
    name: 'parley_sockets_connected',
    help: 'Open connections: socketio, websocket or sse.',
    labelNames: ['transport'],
    registers: this.registers,
  });

  readonly flushSeconds = new Histogram({
    name: 'parley_reply_flush_seconds',
    help: 'How long one write of the text of all running replies took.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers: this.registers,
  });

  readonly flushedRows = new Counter({
    name: 'parley_reply_flushed_rows_total',
    help: 'Rows of reply text written.',
    registers: this.registers,
  });

  readonly unflushedBytes = new Gauge({
    name: 'parley_reply_unflushed_bytes',
    help: 'Reply text that waits in memory for its next write.',
    registers: this.registers,
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }
}
