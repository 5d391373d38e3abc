import { EventStream, ServerSentEvent } from './event-stream.js';
import { ProviderFaults } from './provider-faults.js';
import { ProviderChunk, isObject, readChoice, readUsage } from './provider.chunk.js';
import { ProviderError } from './provider.error.js';
import { ReplyBatch, TokenUsage } from './provider.js';
import { ReplyText } from './reply-text.js';

/** Content and reasoning together, in bytes of UTF-8. */
export const MAX_REPLY_BYTES = 10 * 1024 * 1024;

const OPEN_BRACE = 0x7b;
const LESS_THAN = 0x3c;
/** White space and the bytes of a byte order mark. */
const BLANK = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);

/**
 * Makes batches of the bytes of a provider's answer. It never throws: what is wrong is in `fault`, to be thrown once
 * the batch has been passed on, as text that arrived before it is kept.
 */
export class ReplyReader {
  private readonly events = new EventStream((event) => this.readEvent(event));
  private readonly content = new ReplyText();
  private readonly reasoning = new ReplyText();
  private finishReason?: string;
  private usage?: TokenUsage;
  private replyBytes = 0;
  private format?: 'events' | 'json';
  private json: Buffer[] = [];
  private jsonBytes = 0;
  private failure?: ProviderError;
  private ended = false;
  private finished = false;

  constructor(private readonly faults: ProviderFaults) {}

  get fault(): ProviderError | undefined {
    return this.failure;
  }

  /** The provider said that nothing more will come. */
  get done(): boolean {
    return this.ended;
  }

  /** The provider gave a reason to finish: the reply is whole, whatever becomes of the connection. */
  get complete(): boolean {
    return this.ended || this.finished;
  }

  push(bytes: Buffer): ReplyBatch | undefined {
    this.format ??= this.recognise(bytes);
    if (this.format === 'events') this.events.push(bytes);
    else if (this.format === 'json') this.collect(bytes);
    if (this.events.overflowed) this.fail('The provider sent a line of more than 1 MiB.');
    return this.take();
  }

  /** The body ended as HTTP says that it should. */
  end(): ReplyBatch | undefined {
    if (this.format === 'events') this.events.end();
    else if (this.format === 'json') this.readCompletion();
    return this.cut();
  }

  /** The body ended, for which `fault` is to blame unless the reply was whole already. */
  cut(fault = this.faults.cut()): ReplyBatch | undefined {
    if (!this.complete) this.failure ??= fault;
    return this.take(true);
  }

  /** By what is in it, as the content type of many a provider is wrong. */
  private recognise(bytes: Buffer): 'events' | 'json' | undefined {
    const first = bytes.find((byte) => !BLANK.has(byte));
    if (first === LESS_THAN) this.fail('The provider answered with a page rather than with a reply.');
    if (first === OPEN_BRACE) return 'json';
    return first === undefined || first === LESS_THAN ? undefined : 'events';
  }

  private readEvent({ type, data }: ServerSentEvent): void {
    if (this.ended || this.failure) return;
    if (data.trim() === '[DONE]') {
      this.ended = true;
      return;
    }
    const chunk = parse(data);
    if (type === 'error') this.failure = this.faults.ofBody(errorIn(chunk) ?? data);
    else if (chunk === undefined) this.fail('The provider sent an event that is not JSON.');
    else this.readChunk(chunk);
  }

  private readChunk(chunk: ProviderChunk): void {
    if (chunk.error) {
      this.failure = this.faults.ofBody(chunk.error);
      return;
    }
    const delta = readChoice(chunk);
    this.usage = readUsage(chunk.usage) ?? this.usage;
    if (!delta) return;
    this.content.add(delta.content);
    this.reasoning.add(delta.reasoning);
    this.finishReason = delta.finishReason ?? this.finishReason;
    this.finished ||= delta.finishReason !== undefined;
    if (delta.finishReason === 'content_filter') {
      this.failure = this.faults.make('content_filtered', "The provider's content filter ended the reply.");
    }
  }

  private collect(bytes: Buffer): void {
    this.jsonBytes += bytes.byteLength;
    if (this.jsonBytes > MAX_REPLY_BYTES) this.fail('The provider sent a reply of more than 10 MiB.');
    else this.json.push(bytes);
  }

  /** Some providers know no streaming, and answer with the whole. */
  private readCompletion(): void {
    const completion = parse(Buffer.concat(this.json).toString());
    if (completion?.error) return this.readChunk(completion);
    const choice = completion && readChoice(completion);
    if (!choice?.content && !choice?.finishReason) {
      return this.fail('The provider answered with JSON that is no reply.');
    }
    this.readChunk(completion!);
    this.ended = true;
  }

  private fail(sentence: string): void {
    this.failure ??= this.faults.make('upstream_bad_response', sentence);
  }

  private take(last = false): ReplyBatch | undefined {
    const over = last || this.complete || this.failure !== undefined;
    const batch: ReplyBatch = { content: this.content.take(over), reasoning: this.reasoning.take(over) };
    if (this.finishReason) batch.finishReason = this.finishReason;
    if (this.usage) batch.usage = this.usage;
    this.finishReason = this.usage = undefined;
    if (!batch.content && !batch.reasoning && !batch.finishReason && !batch.usage) return undefined;
    return this.fits(batch) ? batch : undefined;
  }

  private fits({ content, reasoning }: ReplyBatch): boolean {
    this.replyBytes += Buffer.byteLength(content) + Buffer.byteLength(reasoning);
    if (this.replyBytes <= MAX_REPLY_BYTES) return true;
    this.fail('The provider sent a reply of more than 10 MiB.');
    return false;
  }
}

function parse(data: string): ProviderChunk | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // what to say of it is the caller's
  }
}

function errorIn(chunk: ProviderChunk | undefined): unknown {
  return chunk?.error ?? chunk;
}
