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
/** For what somebody waits on in front of a form. */
const TEST_SECONDS = 30;
/** How long a test reads on after the first text, as a reply may fail in the middle. */
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

/** The one way out to a model provider. */
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
   * Yields what the provider says until it ended the reply properly (`[DONE]`, or a finish reason), and throws a
   * ProviderError where it did not, after what came before. Throws `signal.reason` when aborted. Aborting, and closing
   * the iterator, even while it waits, closes the provider's connection at once.
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

  /** The ids of the provider's models. Throws a ProviderError. */
  async listModels(provider: ModelProvider): Promise<string[]> {
    const faults = new ProviderErrorFactory(provider.apiKey);
    const watchdog = new Watchdog(new AbortController().signal, TEST_SECONDS);
    try {
      watchdog.start();
      const ask = await this.senderFor(provider);
      return await readModels(await ask({ path: '/models', signal: watchdog.signal }), faults);
    } catch (error) {
      throw watchdog.signal.aborted ? watchdog.signal.reason : faults.from(error);
    } finally {
      watchdog.close();
    }
  }

  /**
   * Asks for a real completion and leaves soon after its first text, as models disagree on the name of the parameter that
   * would keep it short. Never throws for a provider's failure. The latency is that of the first text.
   */
  async test(provider: ModelProvider): Promise<ProviderTest> {
    const start = performance.now();
    let end: number | undefined;
    const fault = await this.findError(provider, () => (end = performance.now()));
    const latencyMs = Math.round((end ?? performance.now()) - start);
    const result = { ok: !fault, latencyMs, model: provider.modelName };
    if (!fault) return result;
    const { code, detail, status } = fault;
    return { ...result, error: { code, detail, status, hint: await this.findHint(provider, fault) } };
  }

  onApplicationShutdown(): Promise<void> {
    return closeTokenizer();
  }

  /** Throws a ModelUrlError naming why, for what can be seen in the text of the URL. */
  checkUrl(modelUrl: string): void {
    this.egress.checkUrl(modelUrl);
  }

  private async findError(
    provider: ModelProvider,
    onFirstText?: () => void,
  ): Promise<ProviderError | undefined> {
    const options = { attempts: 1, totalSeconds: TEST_SECONDS };
    const enough = new AbortController();
    const batches = this.iterate(provider, TEST_PROMPT, enough.signal, options);
    let hasBegun = false;
    let readOn: NodeJS.Timeout | undefined;
    try {
      for (let next = await batches.next(); !next.done; next = await batches.next()) {
        const isText = next.value.content.trim() !== '';
        hasBegun ||= isText || next.value.reasoning !== '';
        if (readOn || !isText) continue;
        onFirstText?.();
        readOn = setTimeout(() => enough.abort(), READ_ON_MS);
      }
      return undefined;
    } catch (error) {
      if (enough.signal.aborted) return undefined;
      const fault = new ProviderErrorFactory(provider.apiKey).from(error);
      // A model that thinks or writes for longer than a test lasts works.
      return hasBegun && fault.code === 'upstream_timeout' ? undefined : fault;
    } finally {
      clearTimeout(readOn);
      await batches.return();
    }
  }

  /** Tries `/v1` where nothing is found without it, which people forget most. */
  private async findHint(provider: ModelProvider, fault: ProviderError): Promise<string | undefined> {
    const modelUrl = isMisdirected(fault) && withVersion(provider.modelUrl);
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
    const faults = new ProviderErrorFactory(provider.apiKey);
    return new CompletionIterator(watchdog, faults, () =>
      this.open(provider, messages, watchdog, faults, { attempts, onRetry }),
    );
  }

  private async open(
    provider: ModelProvider,
    messages: PromptMessage[],
    watchdog: Watchdog,
    faults: ProviderErrorFactory,
    { attempts, onRetry }: Pick<StreamOptions, 'attempts' | 'onRetry'>,
  ) {
    const request = new CompletionRequest(
      await this.senderFor(provider),
      provider,
      messages,
      watchdog,
      faults,
      {
        firstByteSeconds: this.settings.upstreamFirstByteTimeoutSeconds,
        idleSeconds: this.settings.upstreamIdleTimeoutSeconds,
        knownChanges: this.knownChanges,
        attempts,
        onRetry: (fault, delaySeconds) => {
          publishMeasurement('upstream.retried', {});
          onRetry?.(fault, delaySeconds);
        },
        coalescer: this.coalescer,
      },
    );
    return request.open();
  }

  private async senderFor(provider: ModelProvider): Promise<SendCall> {
    if (!provider.trusted) this.egress.checkUrl(provider.modelUrl);
    const dispatcher = await this.egress.dispatcher(provider.trusted);
    const client = await (this.client ??= this.loadClient());
    return (call) => {
      publishMeasurement('upstream.asked', {});
      return client.send(provider, dispatcher, call);
    };
  }

  /** What it takes, some 300 modules, is loaded by the first who asks, so that the start does not wait for it. */
  private async loadClient(): Promise<ProviderClient> {
    const { ProviderClient } = await import('./client/provider-client.js');
    return new ProviderClient(this.settings.upstreamTotalTimeoutSeconds);
  }
}

/** Undefined where the path names a version already. */
function withVersion(modelUrl: string): string | undefined {
  const url = new URL(modelUrl);
  if (/\/v\d/i.test(url.pathname)) return undefined;
  url.pathname = url.pathname.replace(/\/$/, '') + '/v1';
  return url.href;
}

/** Whether an answer comes from a path that is no API: not found, or a page; LM Studio says so with status 200. */
function isMisdirected({ code, status, fullText: words }: ProviderError): boolean {
  return (
    status === 404 || status === 405 || code === 'upstream_bad_response' || /unexpected endpoint/i.test(words)
  );
}
