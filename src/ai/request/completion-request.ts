import { setTimeout as delay } from 'node:timers/promises';
import { publishMeasurement } from '../../common/logging/measurements.js';
import { hostClassOf } from '../client/host-class.js';
import { isTransient, MAX_WAIT_SECONDS, ProviderErrorFactory } from '../errors/provider-error-factory.js';
import type { EgressResponse } from '../egress/egress-fetch.js';
import type { ProviderCall } from '../client/provider-client.js';
import { ProviderError } from '../provider/provider.error.js';
import type { OnRetry } from '../errors/provider-error-log.js';
import { ModelProvider, PromptMessage } from '../provider/provider.js';
import { ReadCoalescer } from '../completion/read-coalescer.js';
import { CompletionStream, type OpenedStream } from '../completion/completion-stream.js';
import type { CompletionBody } from './refusals.js';
import { KnownChanges, RequestChanges } from './request-changes.js';
import { Watchdog } from '../completion/watchdog.js';

const BASE_DELAY_SECONDS = 0.5;
/** Statuses of servers that crash at unknown parameters instead of refusing them. */
const FAILS_AT_UNKNOWN = new Set([500, 501]);

export interface CompletionRequestOptions {
  firstByteSeconds: number;
  idleSeconds: number;
  errors: ProviderErrorFactory;
  /** Maximum requests before the first text. */
  attempts: number;
  onRetry?: OnRetry;
  /** Changes learned from earlier refusals. */
  knownChanges: KnownChanges;
  coalescer: ReadCoalescer;
}

/** Sends a call to one provider. */
export type SendCall = (call: ProviderCall) => Promise<EgressResponse>;

/** Requests a completion, and repeats the request if that may help, until the first text has arrived. */
export class CompletionRequest {
  private readonly changes: RequestChanges;

  constructor(
    private readonly send: SendCall,
    private readonly provider: ModelProvider,
    messages: PromptMessage[],
    private readonly watchdog: Watchdog,
    private readonly options: CompletionRequestOptions,
  ) {
    this.changes = new RequestChanges(bodyOf(provider, messages), options.knownChanges.get(provider));
  }

  /** Resolves to the stream and its first batch, or to the end of an empty reply. */
  async open(): Promise<OpenedStream> {
    for (let attempt = 1; ; attempt++) {
      try {
        const opened = await this.openAdapted();
        if (this.changes.learned) this.options.knownChanges.remember(this.provider, this.changes.learned);
        return opened;
      } catch (error) {
        this.rememberRefusedImages();
        if (this.watchdog.signal.aborted) throw this.watchdog.signal.reason;
        const providerError = this.options.errors.from(error);
        if (attempt >= this.options.attempts || !isTransient(providerError, error)) throw providerError;
        await this.backOff(attempt, providerError);
        const isLast = attempt + 1 === this.options.attempts;
        if (isLast && FAILS_AT_UNKNOWN.has(providerError.status ?? 0)) this.changes.dropUsage();
      }
    }
  }

  /** The next turn names the images in words, although this one fails. */
  private rememberRefusedImages(): void {
    const { knownChanges } = this.options;
    if (!this.changes.refusesImages) return;
    knownChanges.remember(this.provider, new Set([...knownChanges.get(this.provider), 'no images']));
  }

  /** Repeats the request at once while refusals lead to new changes. */
  private async openAdapted(): Promise<OpenedStream> {
    for (;;) {
      try {
        return await this.openOnce();
      } catch (error) {
        const refusal = this.options.errors.from(error);
        if (this.watchdog.signal.aborted || !this.changes.learn(refusal)) throw error;
        this.options.onRetry?.(refusal, 0);
      }
    }
  }

  private async openOnce(): Promise<OpenedStream> {
    const { firstByteSeconds, idleSeconds, errors, coalescer } = this.options;
    this.watchdog.setWaitLimit(
      firstByteSeconds,
      `The provider did not answer within ${firstByteSeconds} seconds.`,
    );
    const { signal } = this.watchdog;
    const call = { path: '/chat/completions', signal, body: this.changes.body };
    const sentAt = performance.now();
    const response = await this.watchdog.wait(this.send(call));
    let isEmpty = true;
    response.body.once('data', () => (isEmpty = false));
    const stream = new CompletionStream(response, this.watchdog, idleSeconds, errors, coalescer);
    try {
      const first = await stream.next();
      if (!first.done) this.measureFirstToken(sentAt);
      return { stream, first };
    } catch (error) {
      response.body.destroy();
      throw isEmpty ? errors.fromEmptyBody(error) : error;
    }
  }

  private measureFirstToken(sentAt: number): void {
    const seconds = (performance.now() - sentAt) / 1000;
    publishMeasurement('upstream.first-text', { hostClass: hostClassOf(this.provider), seconds });
  }

  private async backOff(attempt: number, error: ProviderError): Promise<void> {
    const backoff = BASE_DELAY_SECONDS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const seconds = error.retryAfterSeconds ?? backoff;
    if (seconds > MAX_WAIT_SECONDS) throw error;
    this.options.onRetry?.(error, seconds);
    const { signal } = this.watchdog;
    await delay(seconds * 1000, undefined, { signal }).catch(() => Promise.reject(signal.reason));
  }
}

function bodyOf({ params, modelName }: ModelProvider, messages: PromptMessage[]): CompletionBody {
  const { extra_body: extra, n: _, ...others } = { ...params };
  const own = { stream_options: { include_usage: true }, model: modelName, messages, stream: true };
  return { ...others, ...(extra as object | undefined), ...own };
}
