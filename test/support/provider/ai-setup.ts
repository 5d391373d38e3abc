import { afterAll, afterEach, beforeEach } from '@jest/globals';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { AiService } from '../../../src/ai/ai.service.js';
import type { EgressGuard } from '../../../src/ai/egress/egress-guard.js';
import type { ResolveHost } from '../../../src/ai/egress/resolve-host.js';
import type { ProviderError } from '../../../src/ai/provider/provider.error.js';
import type { CompletionBatch, ModelProvider } from '../../../src/ai/provider/provider.js';
import type { Settings } from '../../../src/env/settings.js';
import { createAi, HELLO } from './ai-reader.js';
import { type Piece, PlayedProvider } from './provider.js';

export const KEY = 'test-key-0123456789abcdefghijklmnop';
export const UNREACHABLE = "The model's address is not allowed or could not be reached.";

/** The idle timeout of `useAi`'s service. */
export const IDLE_TIMEOUT_MS = 400;

export interface Outcome {
  content: string;
  reasoning: string;
  batches: CompletionBatch[];
  finishReason: string | undefined;
  usage: CompletionBatch['usage'];
  error: ProviderError | undefined;
}

export const data = (value: unknown) => `data: ${JSON.stringify(value)}`;
export const delta = (content: unknown) => ({
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
});

/** Registers hooks that give each test an AiService with short timeouts, in front of a played provider. */
export function useAi(): AiSetup {
  const setup = new AiSetup();
  beforeEach(() => setup.start());
  afterEach(() => setup.stop());
  afterAll(() => setup.close());
  return setup;
}

class AiSetup {
  played!: PlayedProvider;
  /** May be replaced by one of `makeAi` for the rest of a test. */
  ai!: AiService;
  readonly guards: EgressGuard[] = [];
  private readonly rawServers: Server[] = [];

  async start(): Promise<void> {
    this.played = await PlayedProvider.start();
    this.ai = this.makeAi();
  }

  async stop(): Promise<void> {
    for (const server of this.rawServers.splice(0)) server.close();
    await this.played.stop();
  }

  async close(): Promise<void> {
    await Promise.all(this.guards.map((guard) => guard.onApplicationShutdown()));
  }

  makeAi(changes: Partial<Settings> = {}, resolve?: ResolveHost): AiService {
    const timeouts = {
      upstreamFirstByteTimeoutSeconds: 1,
      upstreamIdleTimeoutSeconds: IDLE_TIMEOUT_MS / 1000,
    };
    const { ai, egress } = createAi({ ...timeouts, ...changes }, resolve);
    this.guards.push(egress);
    return ai;
  }

  provider(changes: Partial<ModelProvider> = {}): ModelProvider {
    return { modelUrl: this.played.url, modelName: 'test-model', apiKey: KEY, ...changes };
  }

  /** Reads one reply to its end or error. @param onBatch called with the outcome so far after each batch */
  async read(
    from = this.provider(),
    service = this.ai,
    signal = new AbortController().signal,
    onBatch: (soFar: Outcome) => unknown = () => undefined,
  ): Promise<Outcome> {
    const outcome: Outcome = {
      content: '',
      reasoning: '',
      batches: [],
      finishReason: undefined,
      usage: undefined,
      error: undefined,
    };
    try {
      for await (const batch of service.stream(from, HELLO, signal)) {
        outcome.batches.push(batch);
        outcome.content += batch.content;
        outcome.reasoning += batch.reasoning;
        outcome.finishReason = batch.finishReason ?? outcome.finishReason;
        outcome.usage = batch.usage ?? outcome.usage;
        await onBatch(outcome);
      }
    } catch (error) {
      outcome.error = error as ProviderError;
    }
    return outcome;
  }

  ask(...script: Piece[]): Promise<Outcome> {
    this.played.willStream(...script);
    return this.read();
  }

  /** A server that calls `onRequest` with the socket of each request, to answer bytes made by hand. */
  async rawServer(onRequest: (socket: Socket) => void): Promise<Server & { url: string }> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => onRequest(socket));
    });
    this.rawServers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return Object.assign(server, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` });
  }
}

export type { AiSetup };
