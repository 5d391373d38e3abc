import { AiService } from '../../../src/ai/ai.service.js';
import { EgressGuard } from '../../../src/ai/egress/egress-guard.js';
import type { ProviderError } from '../../../src/ai/provider/provider.error.js';
import type { ModelProvider, PromptMessage, CompletionBatch } from '../../../src/ai/provider/provider.js';
import { type ResolveHost, resolveHost } from '../../../src/ai/egress/resolve-host.js';
import type { Settings } from '../../../src/env/settings.js';
import { type Piece, PlayedProvider } from './provider.js';

export const HELLO: PromptMessage[] = [{ role: 'user', content: 'Hi' }];

/** Outcome of one reply, as the reply engine stores it. */
export interface Outcome {
  content: string;
  reasoning: string;
  finishReason: string | null;
  usage: CompletionBatch['usage'] | null;
  sources: CompletionBatch['sources'] | null;
  restarts: number;
  error: Pick<ProviderError, 'code' | 'detail'> | null;
}

/** The real AiService, which reaches providers on this machine, and its guard, which has to be shut down. */
export function createAi(changes: Partial<Settings> = {}, resolve: ResolveHost = resolveHost) {
  const settings = {
    production: false,
    modelUrlAllowedHosts: [],
    loopbackModelsAllowed: true,
    upstreamFirstByteTimeoutSeconds: 5,
    upstreamIdleTimeoutSeconds: 5,
    upstreamTotalTimeoutSeconds: 20,
    ...changes,
  } as unknown as Settings;
  const egress = new EgressGuard(settings, resolve);
  return { ai: new AiService(settings, egress), egress };
}

/** Reads replies of a played provider with an AiService. */
export class AiReader {
  readonly ai: AiService;
  private readonly egress: EgressGuard;

  constructor(
    readonly played: PlayedProvider,
    changes: Partial<Settings> = {},
  ) {
    ({ ai: this.ai, egress: this.egress } = createAi(changes));
  }

  provider(changes: Partial<ModelProvider> = {}): ModelProvider {
    return { modelUrl: this.played.url, modelName: 'test-model', apiKey: 'test-key-0123456789', ...changes };
  }

  ask(...script: Piece[]): Promise<Outcome> {
    this.played.willStream(...script);
    return this.read();
  }

  async read(from = this.provider()): Promise<Outcome> {
    const outcome: Outcome = {
      content: '',
      reasoning: '',
      finishReason: null,
      usage: null,
      sources: null,
      restarts: 0,
      error: null,
    };
    try {
      for await (const batch of this.ai.stream(from, HELLO, new AbortController().signal))
        apply(batch, outcome);
    } catch (error) {
      const { code, detail } = error as ProviderError;
      outcome.error = { code, detail };
    }
    return outcome;
  }

  close(): Promise<void> {
    return this.egress.onApplicationShutdown();
  }
}

function apply(batch: CompletionBatch, outcome: Outcome): void {
  if (batch.restarted) {
    outcome.restarts++;
    outcome.reasoning = outcome.content;
    outcome.content = '';
  }
  outcome.content += batch.content;
  outcome.reasoning += batch.reasoning;
  outcome.finishReason = batch.finishReason ?? outcome.finishReason;
  outcome.usage = batch.usage ?? outcome.usage;
  outcome.sources = batch.sources ?? outcome.sources;
}
