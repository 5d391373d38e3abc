import { setTimeout as delay } from 'node:timers/promises';
import { measure } from '../../common/logging/measures.js';
import { hostClassOf } from '../client/host-class.js';
import { isTransient, MAX_WAIT_SECONDS, ProviderErrors } from '../errors/provider-errors.js';
import type { EgressResponse } from '../egress/egress-fetch.js';
import type { ProviderCall } from '../client/provider-client.js';
import { ProviderError } from '../provider/provider.error.js';
import type { OnRetry } from '../errors/provider-error-log.js';
import { ModelProvider, PromptMessage } from '../provider/provider.js';
import { ReadCoalescer } from '../completion/read-coalescer.js';
import { type NextBatch, CompletionStream } from '../completion/completion-stream.js';
import type { CompletionBody } from './refusals.js';
import { KnownChanges, RequestChanges } from './request-changes.js';
import { Watchdog } from '../completion/watchdog.js';

const BASE_DELAY_SECONDS = 0.5;
/** Statuses of servers that fail over what they do not know, instead of refusing it. */
const FAILS_AT_UNKNOWN = new Set([500, 501]);

export interface CompletionRequestOptions {
  firstByteSeconds: number;
  idleSeconds: number;
  /** How often to ask, at most, before the first text. */
  attempts: number;
  onRetry?: OnRetry;
  /** What the provider's earlier refusals have taught. */
  known: KnownChanges;
  rounds: ReadCoalescer;
}

/** Asks one provider. */
export type Ask = (call: ProviderCall) => Promise<EgressResponse>;

/** Asks a provider for a reply, again where that may help, until the first of its text has come. */
export class CompletionRequest {
  private readonly changes: RequestChanges;

  constructor(
    private readonly askProvider: Ask,
    private readonly provider: ModelProvider,
    messages: PromptMessage[],
    private readonly watchdog: Watchdog,
    private readonly errors: ProviderErrors,
    private readonly options: CompletionRequestOptions,
  ) {
    this.changes = new RequestChanges(bodyOf(provider, messages), options.known.of(provider));
  }

  /** The reply and its first batch, or the end where it is empty. */
  async open(): Promise<{ reply: CompletionStream; first: NextBatch }> {
    for (let attempt = 1; ; attempt++) {
      try {
        const opened = await this.tryChanged();
        if (this.changes.learned) this.options.known.remember(this.provider, this.changes.learned);
        return opened;
      } catch (error) {
        if (this.watchdog.signal.aborted) throw this.watchdog.signal.reason;
        const fault = this.errors.of(error);
        if (attempt >= this.options.attempts || !isTransient(fault, error)) throw fault;
        await this.backOff(attempt, fault);
        const isLast = attempt + 1 === this.options.attempts;
        if (isLast && FAILS_AT_UNKNOWN.has(fault.status ?? 0)) this.changes.forgoUsage();
      }
    }
  }

  /** Tries again at once for as long as each refusal says what to change. */
  private async tryChanged(): Promise<{ reply: CompletionStream; first: NextBatch }> {
    for (;;) {
      try {
        return await this.try();
      } catch (error) {
        const fault = this.errors.of(error);
        if (this.watchdog.signal.aborted || !this.changes.learn(fault)) throw error;
        this.options.onRetry?.(fault, 0);
      }
    }
  }

  private async try(): Promise<{ reply: CompletionStream; first: NextBatch }> {
    const { firstByteSeconds, idleSeconds, rounds } = this.options;
    this.watchdog.allow(firstByteSeconds, `The provider did not answer within ${firstByteSeconds} seconds.`);
    const { signal } = this.watchdog;
    const call = { path: '/chat/completions', signal, body: this.changes.body };
    const askedAt = performance.now();
    const response = await this.watchdog.wait(this.askProvider(call));
    let isEmpty = true;
    response.body.once('data', () => (isEmpty = false));
    const reply = new CompletionStream(response, this.watchdog, idleSeconds, this.errors, rounds);
    try {
      const first = await reply.next();
      if (!first.done) this.measureBeginning(askedAt);
      return { reply, first };
    } catch (error) {
      response.body.destroy();
      throw isEmpty ? this.errors.ofNothing(error) : error;
    }
  }

  private measureBeginning(askedAt: number): void {
    const seconds = (performance.now() - askedAt) / 1000;
    measure('upstream.begun', { hostClass: hostClassOf(this.provider), seconds });
  }

  private async backOff(attempt: number, fault: ProviderError): Promise<void> {
    const own = BASE_DELAY_SECONDS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const seconds = fault.retryAfterSeconds ?? own;
    if (seconds > MAX_WAIT_SECONDS) throw fault;
    this.options.onRetry?.(fault, seconds);
    const { signal } = this.watchdog;
    await delay(seconds * 1000, undefined, { signal }).catch(() => Promise.reject(signal.reason));
  }
}

function bodyOf({ params, modelName }: ModelProvider, messages: PromptMessage[]): CompletionBody {
  const { extra_body: extra, n: _, ...others } = { ...params };
  const own = { stream_options: { include_usage: true }, model: modelName, messages, stream: true };
  return { ...others, ...(extra as object | undefined), ...own };
}
