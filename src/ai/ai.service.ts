import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { publishMeasurement } from '../common/logging/measurements.js';
import { Settings } from '../env/settings.js';
import { readModels } from './client/model-list.js';
import { EgressGuard } from './egress/egress-guard.js';
import type { ProviderClient } from './client/provider-client.js';
import { ProviderErrorFactory } from './errors/provider-error-factory.js';
import type { ProviderError } from './provider/provider.error.js';
import type { OnRetry } from './errors/provider-error-log.js';
import { ModelProvider, PromptMessage, CompletionBatch } from './provider/provider.js';
import { CompletionIterator } from './completion/completion-stream.js';
import { ReadCoalescer } from './completion/read-coalescer.js';
import { type SendCall, CompletionRequest } from './request/completion-request.js';
import { KnownChanges } from './request/request-changes.js';
import { closeTokenizer } from './tokenizer/tokenizer.js';
import { Watchdog } from './completion/watchdog.js';

const ATTEMPTS = 3;
/** For requests that a user waits for: tests and model lists. */
const TEST_SECONDS = 30;
/** A test reads on for this long after the first text, because a reply may fail midway. */
const READ_ON_MS = 2_000;
const TEST_PROMPT: PromptMessage[] = [{ role: 'user', content: 'Say hello.' }];

export interface ProviderTest {
  ok: boolean;
  latencyMs: number;
  model: string;
  error?: Pick<ProviderError, 'code' | 'detail' | 'status'> & { hint?: string };
}

interface StreamOptions {
  attempts: number;
  totalSeconds: number;
  onRetry?: OnRetry;
}

/** Sends requests to model providers. */
@Injectable()
export class AiService implements OnApplicationShutdown {
  private readonly knownChanges = new KnownChanges();
  private readonly coalescer = new ReadCoalescer();
  private client?: Promise<ProviderClient>;

  constructor(
    private readonly settings: Settings,
    private readonly egress: EgressGuard,
  ) {}

  /**
   * Streams a completion until the provider ends it with `[DONE]` or a finish reason. Otherwise throws a ProviderError,
   * after the text received so far. Throws `signal.reason` when aborted. Aborting the signal or closing the iterator
   * closes the connection at once, even during a pending read.
   */
  stream(
    provider: ModelProvider,
    messages: PromptMessage[],
    signal: AbortSignal,
    onRetry?: OnRetry,
  ): AsyncIterable<CompletionBatch> {
    const totalSeconds = this.settings.upstreamTotalTimeoutSeconds;
    const options = { attempts: ATTEMPTS, totalSeconds, onRetry };
    return { [Symbol.asyncIterator]: () => this.iterate(provider, messages, signal, options) };
  }

  /** Lists the ids of the provider's models. Throws a ProviderError. */
  async listModels(provider: ModelProvider): Promise<string[]> {
    const errors = new ProviderErrorFactory(provider);
    const watchdog = new Watchdog(new AbortController().signal, TEST_SECONDS);
    try {
      watchdog.start();
      const send = await this.senderFor(provider);
      return await readModels(await send({ path: '/models', signal: watchdog.signal }), errors);
    } catch (error) {
      throw watchdog.signal.aborted ? watchdog.signal.reason : errors.from(error);
    } finally {
      watchdog.close();
    }
  }

  /**
   * Requests a real completion and stops soon after its first text: models disagree on the parameter that limits the
   * length. `latencyMs` ends at the first text. Never throws a ProviderError.
   */
  async test(provider: ModelProvider): Promise<ProviderTest> {
    const start = performance.now();
    let firstTextAt: number | undefined;
    const error = await this.findError(provider, () => (firstTextAt = performance.now()));
    const latencyMs = Math.round((firstTextAt ?? performance.now()) - start);
    const result = { ok: !error, latencyMs, model: provider.modelName };
    if (!error) return result;
    const { code, detail, status } = error;
    return { ...result, error: { code, detail, status, hint: await this.findHint(provider, error) } };
  }

  onApplicationShutdown(): Promise<void> {
    return closeTokenizer();
  }

  /** Checks the text of a URL, without resolving its host. Throws a ModelUrlError. */
  checkUrl(modelUrl: string): void {
    this.egress.checkUrl(modelUrl);
  }

  private async findError(
    provider: ModelProvider,
    onFirstText?: () => void,
  ): Promise<ProviderError | undefined> {
    const options = { attempts: 1, totalSeconds: TEST_SECONDS };
    const stop = new AbortController();
    const batches = this.iterate(provider, TEST_PROMPT, stop.signal, options);
    let hasText = false;
    let readOn: NodeJS.Timeout | undefined;
    try {
      for (let next = await batches.next(); !next.done; next = await batches.next()) {
        const isText = next.value.content.trim() !== '';
        hasText ||= isText || next.value.reasoning !== '';
        if (readOn || !isText) continue;
        onFirstText?.();
        readOn = setTimeout(() => stop.abort(), READ_ON_MS);
      }
      return undefined;
    } catch (error) {
      if (stop.signal.aborted) return undefined;
      const providerError = new ProviderErrorFactory(provider).from(error);
      // A model that is still writing when the time is up works.
      return hasText && providerError.code === 'upstream_timeout' ? undefined : providerError;
    } finally {
      clearTimeout(readOn);
      await batches.return();
    }
  }

  /** Tries the URL with `/v1`, the part most often missing. */
  private async findHint(provider: ModelProvider, error: ProviderError): Promise<string | undefined> {
    const modelUrl = isMisdirected(error) && withVersion(provider.modelUrl);
    if (!modelUrl) return undefined;
    const other = await this.findError({ ...provider, modelUrl });
    if (other && (isMisdirected(other) || other.code === 'upstream_unreachable')) return undefined;
    const reaction = other ? `answers there: ${other.detail}` : 'answers there.';
    return `Set model_url to ${modelUrl}: the provider ${reaction}`;
  }

  private iterate(
    provider: ModelProvider,
    messages: PromptMessage[],
    signal: AbortSignal,
    { attempts, totalSeconds, onRetry }: StreamOptions,
  ): CompletionIterator {
    const watchdog = new Watchdog(signal, totalSeconds);
    const errors = new ProviderErrorFactory(provider);
    return new CompletionIterator(watchdog, errors, () =>
      this.open(provider, messages, watchdog, errors, { attempts, onRetry }),
    );
  }

  private async open(
    provider: ModelProvider,
    messages: PromptMessage[],
    watchdog: Watchdog,
    errors: ProviderErrorFactory,
    { attempts, onRetry }: Pick<StreamOptions, 'attempts' | 'onRetry'>,
  ) {
    const request = new CompletionRequest(await this.senderFor(provider), provider, messages, watchdog, {
      errors,
      firstByteSeconds: this.settings.upstreamFirstByteTimeoutSeconds,
      idleSeconds: this.settings.upstreamIdleTimeoutSeconds,
      knownChanges: this.knownChanges,
      attempts,
      onRetry: (error, delaySeconds) => {
        publishMeasurement('upstream.retried', {});
        onRetry?.(error, delaySeconds);
      },
      coalescer: this.coalescer,
    });
    return request.open();
  }

  private async senderFor(provider: ModelProvider): Promise<SendCall> {
    if (!provider.trusted) this.egress.checkUrl(provider.modelUrl);
    const dispatcher = await this.egress.dispatcher(provider.trusted);
    const client = await (this.client ??= this.loadClient());
    return (call) => {
      publishMeasurement('upstream.requested', {});
      return client.send(provider, dispatcher, call);
    };
  }

  /** Loads the openai package, some 300 modules, at the first request. */
  private async loadClient(): Promise<ProviderClient> {
    const { ProviderClient } = await import('./client/provider-client.js');
    return new ProviderClient(this.settings.upstreamTotalTimeoutSeconds);
  }
}

/** Returns undefined if the path has a version already. */
function withVersion(modelUrl: string): string | undefined {
  const url = new URL(modelUrl);
  if (/\/v\d/i.test(url.pathname)) return undefined;
  url.pathname = url.pathname.replace(/\/$/, '') + '/v1';
  return url.href;
}

/** Whether the path is not the API's: not found, or a page. LM Studio reports it with status 200. */
function isMisdirected({ code, status, fullText }: ProviderError): boolean {
  return (
    status === 404 ||
    status === 405 ||
    code === 'upstream_bad_response' ||
    /unexpected endpoint/i.test(fullText)
  );
}
