import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { onMeasurement } from '../common/logging/measurements.js';
import { Metrics } from './metrics.js';

const ENDS = ['complete', 'stopped', 'failed', 'interrupted'];
const FIRST_TEXT_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts events: sends, replies, requests to providers and writes of text. */
@Injectable()
export class FlowMetrics implements OnModuleInit, OnApplicationShutdown {
  private subscriptions: (() => void)[] = [];

  constructor(private readonly metrics: Metrics) {}

  onModuleInit(): void {
    this.subscriptions = [...this.countReplies(), ...this.countUpstream(), ...this.countWrites()];
  }

  onApplicationShutdown(): void {
    this.subscriptions.forEach((end) => end());
  }

  private countReplies(): (() => void)[] {
    const { registers } = this.metrics;
    const ended = new Counter({
      name: 'parley_replies_ended_total',
      help: 'Replies that this node ended, by their final status.',
      labelNames: ['status'],
      registers,
    });
    // A rate needs the series before its first increment.
    for (const status of ENDS) ended.inc({ status }, 0);
    const firstText = new Histogram({
      name: 'parley_first_token_seconds',
      help: 'From a send to the first token of its reply.',
      buckets: FIRST_TEXT_BUCKETS,
      registers,
    });
    const refused = new Counter({
      name: 'parley_sends_refused_total',
      help: 'Sends, regenerations and edits that were refused, by the code of their problem.',
      labelNames: ['code'],
      registers,
    });
    return [
      onMeasurement('reply.ended', (labels) => ended.inc(labels)),
      onMeasurement('reply.first-text', ({ seconds }) => firstText.observe(seconds)),
      onMeasurement('send.refused', (labels) => refused.inc(labels)),
    ];
  }

  private countUpstream(): (() => void)[] {
    const { registers } = this.metrics;
    const attempts = new Counter({
      name: 'parley_upstream_attempts_total',
      help: 'Requests to model providers, retries included.',
      registers,
    });
    const retries = new Counter({
      name: 'parley_upstream_retries_total',
      help: 'Requests to model providers that repeat a failed one.',
      registers,
    });
    const firstText = new Histogram({
      name: 'parley_upstream_first_token_seconds',
      help: 'From a request to a model provider to its first token, by class of host.',
      labelNames: ['host'],
      buckets: FIRST_TEXT_BUCKETS,
      registers,
    });
    return [
      onMeasurement('upstream.requested', () => attempts.inc()),
      onMeasurement('upstream.retried', () => retries.inc()),
      onMeasurement('upstream.first-text', ({ hostClass, seconds }) =>
        firstText.observe({ host: hostClass }, seconds),
      ),
    ];
  }

  private countWrites(): (() => void)[] {
    const { registers } = this.metrics;
    const seconds = new Histogram({
      name: 'parley_reply_flush_seconds',
      help: 'How long one write of the text of all running replies took.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers,
    });
    const rows = new Counter({
      name: 'parley_reply_flushed_rows_total',
      help: 'Rows of reply text written.',
      registers,
    });
    return [
      onMeasurement('replies.flushed', (saved) => {
        seconds.observe(saved.seconds);
        rows.inc(saved.rows);
      }),
    ];
  }
}
