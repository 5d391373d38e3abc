import { CompletionState, MAX_REPLY_BYTES } from './completion-state.js';
import { EventStream, ServerSentEvent } from './event-stream.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { ProviderChunk, isObject } from '../provider/provider.chunk.js';
import { ProviderError } from '../provider/provider.error.js';
import { CompletionBatch } from '../provider/provider.js';

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const LESS_THAN = 0x3c;
/** White space and the bytes of a byte order mark. */
const BLANK = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);
const DONE = /^"?\[done\]"?$/i;
const KEEP_ALIVE = /ping|heartbeat|keep-?_?alive/i;
/** Words for people, rather than a keep-alive or a part of JSON. */
const SENTENCE = /^[\p{L}\d][^{}[\]<>\ufffd\p{Cc}]* [^{}[\]<>\ufffd\p{Cc}]*$/u;

/** How long the provider may be silent: until its first text, between two, and after what may be or is its last. */
export type Phase = 'first' | 'idle' | 'lull' | 'tail';

/**
 * Makes batches of the bytes of a provider's answer. It never throws: what is wrong is in `fault`, to be thrown once
 * the batch has been passed on, as text that arrived before it is kept.
 */
export class CompletionParser {
  private readonly events = new EventStream(
    (event) => this.readEvent(event),
    () => this.fail('The provider sent a line of more than 1 MiB.'),
  );
  private readonly state: CompletionState;
  private format?: 'events' | 'json';
  private json: Buffer[] = [];
  private jsonBytes = 0;
  private ended = false;
  /** What was sent in place of a reply, as far as it explains itself. */
  private message?: string | ProviderChunk;
  private lastWasBroken = false;

  constructor(private readonly errors: ProviderErrorFactory) {
    this.state = new CompletionState(errors);
  }

  get error(): ProviderError | undefined {
    return this.state.error;
  }

  /** The provider said that nothing more will come. */
  get done(): boolean {
    return this.ended;
  }

  get phase(): Phase {
    const { endSignal: ending, hasText: heard } = this.state;
    if (ending !== 'none') return ending === 'certain' ? 'tail' : 'lull';
    return heard ? 'idle' : 'first';
  }

  push(bytes: Buffer): CompletionBatch | undefined {
    this.format ??= this.detectFormat(bytes);
    if (this.format === 'events') this.events.push(bytes);
    else if (this.format === 'json') this.collect(bytes);
    return this.take();
  }

  /** The body ended as HTTP says that it should, which ends a reply that has text. */
  end(): CompletionBatch | undefined {
    this.lastWasBroken = false;
    if (this.format === 'json') this.readCompletion();
    return this.finish(() => (this.lastWasBroken ? this.errors.truncated() : undefined));
  }

  /** The body broke off, for which `fault` is to blame unless the reply was whole already. */
  abort(fault: ProviderError): CompletionBatch | undefined {
    return this.finish(() => fault);
  }

  /** @param faultOf a reply that the provider had not ended */
  private finish(faultOf: () => ProviderError | undefined): CompletionBatch | undefined {
    if (this.format === 'events') this.events.end();
    const fault = this.isEnded ? undefined : faultOf();
    if (fault && (this.state.hasText || !this.message)) this.state.fail(fault);
    const batch = this.take(true);
    this.conclude();
    return batch;
  }

  private get isEnded(): boolean {
    return this.ended || this.state.endSignal !== 'none';
  }

  /** A reply without an answer has failed: by what was sent in its place, or else as empty. */
  private conclude(): void {
    const { message: words, state } = this;
    const { strayLine: stray } = this.events;
    if (!state.hasContent) {
      if (typeof words === 'object') state.fail(this.errors.fromBody(words));
      else if (words ?? SENTENCE.test(stray)) this.fail(words ?? stray);
      else if (stray) this.fail('The provider answered with something that is no reply.');
    }
    state.conclude();
  }

  /** By what is in it, as the content type of many a provider is wrong. */
  private detectFormat(bytes: Buffer): 'events' | 'json' | undefined {
    const first = bytes.find((byte) => !BLANK.has(byte));
    if (first === LESS_THAN) this.fail('The provider answered with a page rather than with a reply.');
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return 'json';
    return first === undefined || first === LESS_THAN ? undefined : 'events';
  }

  private readEvent({ type, data }: ServerSentEvent): void {
    if (this.ended || this.error) return;
    if (type !== '' && this.readType(type, data)) return;
    const value = parse(data);
    if (value) this.readValue(value);
    else if (data.includes('\n'))
      data.split('\n').forEach((line) => this.readEvent({ type: '', data: line }));
    else this.readPlainText(data.trim());
  }

  /** @returns whether nothing more is to be read of the event */
  private readType(type: string, data: string): boolean {
    if (KEEP_ALIVE.test(type)) return true;
    if (!/error/i.test(type)) return false;
    const value = parse(data);
    this.state.fail(this.errors.fromBody((isObject(value) && value.error) || value || data));
    return true;
  }

  private readValue(value: object): void {
    for (const chunk of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (isObject(chunk)) this.readChunk(chunk);
    }
  }

  private readChunk(chunk: ProviderChunk): void {
    this.state.read(chunk);
    if (chunk.choices === undefined && !this.state.hasText && hasMessage(chunk)) this.message ??= chunk;
  }

  /** An event that is no JSON is passed over. */
  private readPlainText(word: string): void {
    if (DONE.test(word)) {
      this.ended = true;
      return;
    }
    this.lastWasBroken = word.startsWith('{') || word.startsWith('[');
    if (SENTENCE.test(word)) this.message ??= word;
  }

  private collect(bytes: Buffer): void {
    this.jsonBytes += bytes.byteLength;
    if (this.jsonBytes > MAX_REPLY_BYTES) this.fail('The provider sent a reply of more than 10 MiB.');
    else this.json.push(bytes);
  }

  /** Some providers know no streaming, and answer with the whole; others write a line for each chunk. */
  private readCompletion(): void {
    const text = Buffer.concat(this.json).toString();
    this.json = [];
    this.readEvent({ type: '', data: text.replace(/^\ufeff/, '').trim() });
    if (this.state.hasChoice) this.ended = true;
    else if (!this.message) this.fail('The provider answered with JSON that is no reply.');
  }

  private fail(sentence: string): void {
    this.state.fail(this.errors.create('upstream_bad_response', sentence));
  }

  private take(last = false): CompletionBatch | undefined {
    const { state } = this;
    const isOver = last || this.ended || state.endSignal === 'certain' || state.error !== undefined;
    const batch = state.take(isOver);
    if (state.isFull) this.ended = true;
    if (this.ended) this.conclude();
    return batch;
  }
}

/** An object or a list; undefined for what is no JSON, and for numbers, strings and null. */
function parse(data: string): object | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined; // what to make of it is the caller's
  }
}

function hasMessage({ message, detail, msg }: ProviderChunk): boolean {
  return [message, detail, msg].some((each) => typeof each === 'string' || Array.isArray(each));
}
