import {
  type BeforeApplicationShutdown,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { publishMeasurement } from '../common/logging/measurements.js';
import { Settings } from '../env/settings.js';
import { type ClaimedDelivery, WebhookDeliveries } from './webhook-deliveries.js';
import { WebhookSender } from './webhook-sender.js';

const MAX_AT_ONCE = 10;
const POLL_INTERVAL_MS = 1000;
const PURGE_INTERVAL_MS = 60 * 60_000;
const FIRST_RETRY_MS = 5000;
const MAX_RETRY_MS = 60 * 60_000;
/** Spreads the retries of deliveries that failed together. */
const JITTER = 0.2;
/** Time for running attempts at a shutdown. */
const GRACE_MS = 2000;

/** Sends stored deliveries, at most 10 at once in this process. */
@Injectable()
export class WebhookDispatcher implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('Webhooks');
  private readonly running = new Set<Promise<void>>();
  private readonly abort = new AbortController();
  private timers: NodeJS.Timeout[] = [];
  private isStopping = false;
  private isDue = false;
  private claiming: Promise<void> | null = null;

  constructor(
    private readonly settings: Settings,
    private readonly deliveries: WebhookDeliveries,
    private readonly sender: WebhookSender,
  ) {}

  onApplicationBootstrap(): void {
    void this.purge();
    this.timers = [
      setInterval(() => this.wake(), POLL_INTERVAL_MS).unref(),
      setInterval(() => void this.purge(), PURGE_INTERVAL_MS).unref(),
    ];
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    this.timers.forEach(clearInterval);
    await this.claiming;
    const ended = Promise.all(this.running);
    await Promise.race([ended, delay(GRACE_MS, undefined, { ref: false })]);
    this.abort.abort();
    await ended;
  }

  /** Sends due deliveries in the background. */
  wake(): void {
    if (this.settings.webhookUrl === undefined || this.isStopping) return;
    this.isDue = true;
    this.claiming ??= this.claimDue()
      .catch((error: unknown) =>
        this.logger.warn({ error: String(error) }, 'Failed to claim webhook deliveries'),
      )
      .finally(() => (this.claiming = null));
  }

  private async claimDue(): Promise<void> {
    while (this.isDue && !this.isStopping) {
      this.isDue = false;
      const free = MAX_AT_ONCE - this.running.size;
      if (free === 0) return;
      for (const delivery of await this.deliveries.claimDue(free)) this.start(delivery);
    }
  }

  private start(delivery: ClaimedDelivery): void {
    const run = this.attempt(delivery)
      .catch((error: unknown) =>
        this.logger.warn({ error: String(error) }, 'Failed to store the outcome of a webhook delivery'),
      )
      .finally(() => {
        this.running.delete(run);
        this.wake();
      });
    this.running.add(run);
  }

  private async attempt(delivery: ClaimedDelivery): Promise<void> {
    const { signal } = this.abort;
    const outcome = await this.sender.send(delivery, signal).catch(() => null);
    if (outcome === null) return this.deliveries.release(delivery);
    if (outcome.type === 'delivered') {
      await this.deliveries.finish(delivery, 'delivered', null);
      return publishMeasurement('webhook.attempted', { outcome: 'delivered' });
    }
    const delayMs =
      outcome.type === 'gone' ? Infinity : retryDelayMs(delivery.attempts, outcome.retryAfterMs);
    await this.failed(delivery, outcome.error, delayMs);
  }

  private async failed(delivery: ClaimedDelivery, error: string, delayMs: number): Promise<void> {
    const { id, webhookId, type, attempts, retryUntil } = delivery;
    const isLast = delayMs === Infinity || Date.now() >= retryUntil.getTime();
    if (isLast) await this.deliveries.finish(delivery, 'dead', error);
    else await this.deliveries.postpone(delivery, new Date(Date.now() + delayMs), error);
    publishMeasurement('webhook.attempted', { outcome: isLast ? 'dead' : 'failed' });
    const details = { delivery_id: id, webhook_id: webhookId, type, attempts, error };
    if (isLast) this.logger.error(details, 'Gave up a webhook delivery');
    else this.logger.warn(details, 'Failed to deliver a webhook; it will be tried again');
  }

  /** Does not throw: the next run deletes what a failed one left. */
  async purge(): Promise<void> {
    await this.deliveries
      .purge()
      .catch((error: unknown) =>
        this.logger.warn({ error: String(error) }, 'Failed to purge webhook deliveries'),
      );
  }
}

/** Grows from 5 s to an hour. @param attempts made so far */
export function retryDelayMs(attempts: number, retryAfterMs = 0, random = Math.random()): number {
  const backoff = Math.min(FIRST_RETRY_MS * 3 ** (attempts - 1), MAX_RETRY_MS);
  return Math.max(backoff * (1 + JITTER * random), retryAfterMs);
}
