import { CompletionState, MAX_REPLY_BYTES } from './completion-state.js';
import { EventStream, ServerSentEvent } from './event-stream.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { isObject, parseObject, type ProviderChunk } from '../provider/provider.chunk.js';
import { ProviderError } from '../provider/provider.error.js';
import { CompletionBatch } from '../provider/provider.js';

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;
const LESS_THAN = 0x3c;
/** White space, and the bytes of a byte order mark. */
const BLANK = new Set([0x09, 0x0a, 0x0d, 0x20, 0xef, 0xbb, 0xbf]);
const DONE = /^"?\[done\]"?$/i;
const NO_REPLY = 'The provider answered with something that is no reply.';
const KEEP_ALIVE = /ping|heartbeat|keep-?_?alive/i;
/** The most events, or lines of one, that are no JSON. Keep-alives of an hour are fewer. */
const MAX_UNREADABLE = 5_000;
const WORDS = /^[\p{L}\d][^{}[\]<>\ufffd\p{Cc}]*$/u;

/**
 * Determines how long the provider may be silent: before the first text, between texts, after a likely end, and after a
 * certain end.
 */
export type Phase = 'beforeText' | 'text' | 'likelyEnded' | 'ended';

/**
 * Parses the bytes of a provider's response into batches. Never throws: `error` is thrown by the caller after the batch
 * has been delivered, because text before an error is kept.
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
  private isDone = false;
  /** Sent in place of a reply: a sentence, or JSON with a message. */
  private message?: string | ProviderChunk;
  private lastEventWasCut = false;
  private unreadable = 0;

  constructor(private readonly errors: ProviderErrorFactory) {
    this.state = new CompletionState(errors);
  }

  get error(): ProviderError | undefined {
    return this.state.error;
  }

  /** `[DONE]`, or the end of a whole completion: nothing follows. */
  get done(): boolean {
    return this.isDone;
  }

  get phase(): Phase {
    const { endSignal, hasText } = this.state;
    if (endSignal !== 'none') return endSignal === 'certain' ? 'ended' : 'likelyEnded';
    return hasText ? 'text' : 'beforeText';
  }

  push(bytes: Buffer): CompletionBatch | undefined {
    this.format ??= this.detectFormat(bytes);
    if (this.format === 'events') this.events.push(bytes);
    else if (this.format === 'json') this.collect(bytes);
    return this.take();
  }

  /** The body ended cleanly, which ends a reply that has text. */
  end(): CompletionBatch | undefined {
    this.lastEventWasCut = false;
    if (this.format === 'json') this.readCompletion();
    return this.finish(() => (this.lastEventWasCut ? this.errors.truncated() : undefined));
  }

  /** The body was cut off: `error` fails the reply unless it was complete. */
  abort(error: ProviderError): CompletionBatch | undefined {
    return this.finish(() => error);
  }

  /** @param errorOf the error of a reply that the provider has not ended */
  private finish(errorOf: () => ProviderError | undefined): CompletionBatch | undefined {
    if (this.format === 'events') this.events.end();
    const error = this.isEnded ? undefined : errorOf();
    if (error && (this.state.hasText || !this.message)) this.state.fail(error);
    const batch = this.take(true);
    this.conclude();
    return batch;
  }

  private get isEnded(): boolean {
    return this.isDone || this.state.endSignal !== 'none';
  }

  /** Fails a reply without content: by the message sent in its place, or else as empty. */
  private conclude(): void {
    const { message, state } = this;
    const { strayLine } = this.events;
    if (!state.hasContent) {
      if (typeof message === 'object') state.fail(this.errors.fromBody(message));
      else if (message ?? isSentence(strayLine)) this.fail(message ?? strayLine);
      else if (strayLine) this.fail(NO_REPLY);
    }
    state.conclude();
  }

  /** Detects the format by the content, because the content type is often wrong. */
  private detectFormat(bytes: Buffer): 'events' | 'json' | undefined {
    const first = bytes.find((byte) => !BLANK.has(byte));
    if (first === LESS_THAN) this.fail('The provider answered with a page rather than with a reply.');
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return 'json';
    return first === undefined || first === LESS_THAN ? undefined : 'events';
  }

  private readEvent({ type, data }: ServerSentEvent): void {
    if (this.isDone || this.error || this.unreadable > MAX_UNREADABLE) return;
    if (type !== '' && this.readType(type, data)) return;
    const value = parseObject(data);
    if (value) this.readValue(value);
    else if (data.includes('\n')) this.readLines(data);
    else this.readText(data.trim());
  }

  private readLines(text: string): void {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    for (const line of lines) this.readEvent({ type: '', data: line });
  }

  /** @returns whether the event is consumed */
  private readType(type: string, data: string): boolean {
    if (KEEP_ALIVE.test(type)) return true;
    if (!/error/i.test(type)) return false;
    const value = parseObject(data);
    this.state.fail(this.errors.fromBody(value?.error || value || data));
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

  /** Reads an event that is not JSON; others than `[DONE]` are ignored. */
  private readText(text: string): void {
    if (DONE.test(text)) {
      this.isDone = true;
      return;
    }
    if (++this.unreadable > MAX_UNREADABLE) return this.fail(NO_REPLY);
    this.lastEventWasCut = text.startsWith('{') || text.startsWith('[');
    if (isSentence(text)) this.message ??= text;
  }

  private collect(bytes: Buffer): void {
    this.jsonBytes += bytes.byteLength;
    if (this.jsonBytes > MAX_REPLY_BYTES) this.fail('The provider sent a reply of more than 10 MiB.');
    else this.json.push(bytes);
  }

  /** Reads a body of JSON: a whole completion from providers without streaming, or a chunk per line. */
  private readCompletion(): void {
    const text = Buffer.concat(this.json).toString();
    this.json = [];
    this.readEvent({ type: '', data: text.replace(/^\ufeff/, '').trim() });
    if (this.state.hasChoice) this.isDone = true;
    else if (!this.message) this.fail('The provider answered with JSON that is no reply.');
  }

  private fail(sentence: string): void {
    this.state.fail(this.errors.create('upstream_bad_response', sentence));
  }

  private take(last = false): CompletionBatch | undefined {
    const { state } = this;
    const isOver = last || this.isDone || state.endSignal === 'certain' || state.error !== undefined;
    const batch = state.take(isOver);
    if (state.isFull) this.isDone = true;
    if (this.isDone) this.conclude();
    return batch;
  }
}

/** Whether it is a sentence, as opposed to a keep-alive or a fragment of JSON. */
function isSentence(text: string): boolean {
  return text.includes(' ') && WORDS.test(text);
}

function hasMessage({ message, detail, msg }: ProviderChunk): boolean {
  return [message, detail, msg].some((each) => typeof each === 'string' || Array.isArray(each));
}
