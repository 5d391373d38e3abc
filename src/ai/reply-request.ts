import { setTimeout as delay } from 'node:timers/promises';
import { APIError } from 'openai/core/error';
import type { ChatCompletionCreateParamsStreaming } from 'openai/resources/chat/completions';
import { isTransient, ProviderFaults } from './provider-faults.js';
import type { OutboundResponse } from './outbound-fetch.js';
import type { ProviderCall } from './provider-client.js';
import { ProviderError } from './provider.error.js';
import { ModelProvider, PromptMessage } from './provider.js';
import { ReadRounds } from './read-rounds.js';
import { type NextBatch, Reply } from './reply.js';
import { Watchdog } from './watchdog.js';

const BASE_DELAY_SECONDS = 0.5;
/** A provider that wants to be left alone for longer is not asked again; its user is told how long. */
const MAX_DELAY_SECONDS = 10;

export interface ReplyRequestOptions {
  firstByteSeconds: number;
  idleSeconds: number;
  /** How often to ask, at most, before the first text. */
  attempts: number;
  /** Whether to ask for the usage, which some providers answer with an error. */
  includeUsage: boolean;
  rounds: ReadRounds;
}

/** Asks one provider. */
export type Ask = (call: ProviderCall) => Promise<OutboundResponse>;

/** Asks a provider for a reply, again where that may help, until the first of its text has come. */
export class ReplyRequest {
  /** The provider turned out to reject `stream_options`. */
  usageRefused = false;

  constructor(
    private readonly askProvider: Ask,
    private readonly provider: ModelProvider,
    private readonly messages: PromptMessage[],
    private readonly watchdog: Watchdog,
    private readonly faults: ProviderFaults,
    private readonly options: ReplyRequestOptions,
  ) {}

  /** The reply and its first batch, or the end where it is empty. */
  async open(): Promise<{ reply: Reply; first: NextBatch }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.try();
      } catch (error) {
        if (this.watchdog.signal.aborted) throw this.watchdog.signal.reason;
        const fault = this.faults.of(error);
        if (attempt >= this.options.attempts || !isTransient(fault, error)) throw fault;
        await this.backOff(attempt, fault);
      }
    }
  }

  private async try(): Promise<{ reply: Reply; first: NextBatch }> {
    const { firstByteSeconds, idleSeconds, rounds } = this.options;
    this.watchdog.allow(firstByteSeconds, `The provider did not answer within ${firstByteSeconds} seconds.`);
    const reply = new Reply(await this.ask(), this.watchdog, idleSeconds, this.faults, rounds);
    return { reply, first: await reply.next() };
  }

  private async ask(): Promise<OutboundResponse> {
    const includeUsage = this.options.includeUsage && !this.usageRefused;
    try {
      return await this.send(includeUsage);
    } catch (error) {
      if (!includeUsage || !refusesStreamOptions(error)) throw error;
      this.usageRefused = true;
      return this.send(false);
    }
  }

  private send(includeUsage: boolean): Promise<OutboundResponse> {
    const { params, modelName } = this.provider;
    const body = {
      ...params,
      stream_options: includeUsage ? { include_usage: true } : undefined,
      n: undefined,
      model: modelName,
      messages: this.messages,
      stream: true,
    } satisfies ChatCompletionCreateParamsStreaming;
    const { signal } = this.watchdog;
    return this.watchdog.wait(this.askProvider({ path: '/chat/completions', signal, body }));
  }

  private async backOff(attempt: number, fault: ProviderError): Promise<void> {
    const own = BASE_DELAY_SECONDS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    const seconds = fault.retryAfterSeconds ?? own;
    if (seconds > MAX_DELAY_SECONDS) throw fault;
    const { signal } = this.watchdog;
    await delay(seconds * 1000, undefined, { signal }).catch(() => Promise.reject(signal.reason));
  }
}

function refusesStreamOptions(error: unknown): boolean {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 422)) return false;
  return /stream_options|include_usage/.test(`${error.message} ${JSON.stringify(error.error)}`);
}
