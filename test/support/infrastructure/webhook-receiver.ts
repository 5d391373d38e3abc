import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { until } from './until.js';

export const WEBHOOK_SECRET = `whsec_${Buffer.from('the secret of the receiver in tests').toString('base64')}`;

export interface ReceivedWebhook {
  id: string;
  headers: IncomingHttpHeaders;
  raw: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  /** Of `performance.now()`. */
  at: number;
}

/** Responds; 204 where it returns nothing. May wait, or never respond. */
export type Answer = (
  webhook: ReceivedWebhook,
  response: ServerResponse,
) => number | void | Promise<number | void>;

/** An HTTP server that verifies webhooks with the library of Standard Webhooks and keeps them. */
export class WebhookReceiver {
  /** Every attempt. */
  readonly attempts: ReceivedWebhook[] = [];
  /** Those answered with 2xx. */
  readonly accepted: ReceivedWebhook[] = [];
  readonly forgeries: unknown[] = [];
  answer: Answer = () => undefined;
  /** The most requests that were open at once. */
  mostAtOnce = 0;
  port = 0;
  private open = 0;
  private server!: Server;

  private constructor(private readonly secret: string) {}

  static async start(secret = WEBHOOK_SECRET, port = 0): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver(secret);
    await receiver.listen(port);
    return receiver;
  }

  async listen(port = this.port): Promise<void> {
    this.server = createServer((request, response) => {
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.open);
      response.once('close', () => this.open--);
      void text(request)
        .then((raw) => this.receive(raw, request.headers, response))
        .catch(() => response.destroy());
    });
    await once(this.server.listen(port, '127.0.0.1'), 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks?from=parley`;
  }

  get env(): Record<string, string> {
    return { WEBHOOK_URL: this.url, WEBHOOK_SECRET: this.secret };
  }

  /** Waits for an accepted webhook. */
  async received(matches: (webhook: ReceivedWebhook) => boolean): Promise<ReceivedWebhook> {
    await until(() => this.accepted.some(matches));
    return this.accepted.find(matches)!;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async receive(raw: string, headers: IncomingHttpHeaders, response: ServerResponse): Promise<void> {
    try {
      new Webhook(this.secret).verify(raw, headers as Record<string, string>);
    } catch (error) {
      this.forgeries.push(error);
    }
    const webhook = {
      ...(JSON.parse(raw) as Pick<ReceivedWebhook, 'type' | 'timestamp' | 'data'>),
      id: String(headers['webhook-id']),
      headers,
      raw,
      at: performance.now(),
    };
    this.attempts.push(webhook);
    const status = (await this.answer(webhook, response)) ?? 204;
    if (status < 300) this.accepted.push(webhook);
    if (!response.headersSent) response.writeHead(status).end();
  }
}
