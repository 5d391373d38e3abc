import { Injectable } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { EgressGuard } from '../ai/egress/egress-guard.js';
import { parseRetryAfter } from '../common/http/retry-after.js';
import { Settings } from '../env/settings.js';
import type { WebhookDelivery } from './webhook-delivery.entity.js';

const TIMEOUT_MS = 10_000;
const TIMED_OUT = `No response within ${TIMEOUT_MS / 1000} s`;
/** Read so that the connection can be used again. Longer bodies close it. */
const MAX_RESPONSE_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 60 * 60_000;

export type SendOutcome =
  | { type: 'delivered' }
  /** @property retryAfterMs as the receiver asked, an hour at most */
  | { type: 'failed'; error: string; retryAfterMs: number }
  /** 410 Gone: no further attempt is made. */
  | { type: 'gone'; error: string };

/** Posts a delivery to WEBHOOK_URL. Follows no redirects and ignores the response's body. */
@Injectable()
export class WebhookSender {
  private readonly keys: Buffer[];

  constructor(
    private readonly settings: Settings,
    private readonly egress: EgressGuard,
  ) {
    this.keys = settings.webhookSecrets.map((secret) => Buffer.from(secret.slice('whsec_'.length), 'base64'));
  }

  /** @throws {Error} `signal`'s reason if it aborts */
  async send(delivery: WebhookDelivery, signal: AbortSignal): Promise<SendOutcome> {
    // Not AbortSignal.any: it loses the time limit at a garbage collection (https://github.com/nodejs/node/issues/57736).
    const attempt = new AbortController();
    const timer = setTimeout(() => attempt.abort(new Error(TIMED_OUT)), TIMEOUT_MS);
    const abort = () => attempt.abort(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      signal.throwIfAborted();
      return await this.post(delivery, attempt.signal);
    } catch (error) {
      signal.throwIfAborted();
      return { type: 'failed', error: describe(error), retryAfterMs: 0 };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  private async post({ webhookId, body }: WebhookDelivery, signal: AbortSignal): Promise<SendOutcome> {
    const dispatcher = await this.egress.dispatcher(true);
    const { origin, pathname, search } = new URL(this.settings.webhookUrl!);
    const response = await dispatcher.request({
      origin,
      path: pathname + search,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...this.signedHeaders(webhookId, body) },
      body,
      signal,
    });
    await response.body.dump({ limit: MAX_RESPONSE_BYTES, signal }).catch(() => undefined);
    const [retryAfter] = [response.headers['retry-after']].flat();
    return toOutcome(response.statusCode, retryAfter);
  }

  /** Standard Webhooks: a signature per secret, of this attempt's time. */
  private signedHeaders(id: string, body: string): Record<string, string> {
    const timestamp = Math.floor(Date.now() / 1000);
    const sign = (key: Buffer) =>
      `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
    return {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': this.keys.map(sign).join(' '),
      'user-agent': 'Parley-Webhooks',
    };
  }
}

function toOutcome(status: number, retryAfter: string | undefined): SendOutcome {
  if (status >= 200 && status < 300) return { type: 'delivered' };
  const error = `HTTP ${status}`;
  if (status === 410) return { type: 'gone', error };
  return {
    type: 'failed',
    error,
    retryAfterMs: Math.min(parseRetryAfter(retryAfter) ?? 0, MAX_RETRY_AFTER_MS),
  };
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code ? `${code}: ${message}` : message).slice(0, 255);
}
