import type { Readable } from 'node:stream';
import type { EgressResponse } from '../egress/egress-fetch.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { CompletionBatch } from '../provider/provider.js';
import { ReadCoalescer } from './read-coalescer.js';
import { type Phase, CompletionParser } from './completion-parser.js';
import { Watchdog } from './watchdog.js';

/** After a finish reason, the wait for the usage and `[DONE]`. */
const TAIL_SECONDS = 2;
const NOT_CLOSED = 'The provider did not hang up.';
/** After `[DONE]`, the wait until the connection is free for the next request. */
const DRAIN_SECONDS = 1;
/** Above this length of undelivered text the body is paused. UTF-16 code units. */
const MAX_PENDING_LENGTH = 256 * 1024;
/** Above this size bytes are parsed without waiting for the coalescer. */
const MAX_UNREAD_BYTES = 64 * 1024;

export type NextBatch = IteratorResult<CompletionBatch, undefined>;
const END: NextBatch = { value: undefined, done: true };

/** A stream with its first batch. */
export interface OpenedStream {
  stream: CompletionStream;
  first: NextBatch;
}

/**
 * Iterates over a completion, from the request to its end. Not a generator, because a generator takes several
 * microtasks per batch and its `return()` waits for a pending read.
 */
export class CompletionIterator implements AsyncIterator<CompletionBatch, undefined> {
  private stream?: CompletionStream;

  constructor(
    private readonly watchdog: Watchdog,
    private readonly errors: ProviderErrorFactory,
    private readonly open: () => Promise<OpenedStream>,
  ) {}

  next(): Promise<NextBatch> {
    return this.stream ? this.stream.next() : this.begin();
  }

  return(): Promise<NextBatch> {
    this.watchdog.closeByReader();
    return Promise.resolve(END);
  }

  private async begin(): Promise<NextBatch> {
    const { watchdog } = this;
    try {
      watchdog.start();
      const { stream, first } = await this.open();
      this.stream = stream;
      return first;
    } catch (error) {
      const reason = watchdog.signal.aborted ? watchdog.signal.reason : this.errors.from(error);
      watchdog.close();
      if (watchdog.closedByReader) return END;
      throw reason;
    }
  }
}

interface PendingRead {
  resolve: (next: NextBatch) => void;
  reject: (reason: unknown) => void;
}

/** Reads one response of a provider. Batches that arrive together are delivered together. */
export class CompletionStream {
  private readonly parser: CompletionParser;
  private readonly body: Readable;
  /** Received since the coalescer's last read. */
  private unread?: Buffer[];
  private unreadBytes = 0;
  private pending?: CompletionBatch;
  private pendingRead?: PendingRead;
  private phase: Phase = 'beforeText';
  private hasDelivered = false;
  private bodyEnded = false;
  private draining = false;

  constructor(
    { body }: EgressResponse,
    private readonly watchdog: Watchdog,
    private readonly idleSeconds: number,
    private readonly errors: ProviderErrorFactory,
    private readonly coalescer: ReadCoalescer,
  ) {
    this.parser = new CompletionParser(errors);
    this.body = body;
    body.on('data', (bytes: Buffer) => this.receive(bytes));
    body.on('end', () => this.endBody());
    body.on('error', (error) => this.endBody(error));
    body.on('close', () => this.endBody(new Error('The body was closed')));
  }

  /**
   * Resolves to the next batch, or to the end of a complete reply; rejects with a ProviderError otherwise. After the
   * first batch, the end and an error close the connection.
   */
  next(): Promise<NextBatch> {
    return new Promise((resolve, reject) => {
      this.settleRead({ resolve, reject });
    });
  }

  /** Closes the connection, unless the reply is complete and the connection reusable. */
  close(): void {
    if (this.bodyEnded) this.watchdog.stop();
    else if (this.parser.done && !this.watchdog.cancelled) this.drain();
    else this.watchdog.close();
  }

  private settleRead(read: PendingRead): void {
    this.pendingRead = undefined;
    this.watchdog.pause();
    try {
      const next = this.takeNext();
      if (!next) return this.keepWaiting(read);
      read.resolve(next);
      if (next.done) this.close();
    } catch (error) {
      read.reject(error);
      if (this.hasDelivered) this.close();
    }
  }

  private keepWaiting(read: PendingRead): void {
    this.pendingRead = read;
    this.watchdog.resume();
  }

  /** Returns pending text first, then the end. Throws the error that ended the reply. */
  private takeNext(): NextBatch | undefined {
    const { watchdog, parser, pending } = this;
    if (watchdog.closedByReader) return END;
    if (watchdog.cancelled) throw watchdog.signal.reason;
    // A first batch has text; usage and a finish reason alone wait for the end.
    if (pending && (hasText(pending) || parser.error || parser.done || this.bodyEnded)) {
      this.hasDelivered = true;
      this.pending = undefined;
      if (this.body.isPaused()) this.body.resume();
      return { value: pending, done: false };
    }
    if (parser.error) throw parser.error;
    return parser.done || this.bodyEnded ? END : undefined;
  }

  private receive(bytes: Buffer): void {
    if (this.draining) return this.watchdog.close();
    this.unreadBytes += bytes.length;
    if (!this.unread) {
      this.unread = [bytes];
      this.coalescer.schedule(this.read);
    } else {
      this.unread.push(bytes);
      if (this.unreadBytes > MAX_UNREAD_BYTES) this.read();
    }
  }

  private readonly read = (): void => {
    const { unread } = this;
    if (!unread) return;
    this.unread = undefined;
    this.unreadBytes = 0;
    this.parse(unread.length === 1 ? unread[0]! : Buffer.concat(unread));
  };

  private parse(bytes: Buffer): void {
    const batch = this.parser.push(bytes);
    this.addPending(batch);
    const { phase } = this.parser;
    if (phase !== this.phase || (phase === 'likelyEnded' && batch && hasVisibleText(batch)))
      this.setWaitLimit(phase);
    if (this.pendingRead) this.settleRead(this.pendingRead);
  }

  /** After a likely end only text extends the limit. */
  private setWaitLimit(phase: Phase): void {
    this.phase = phase;
    const { watchdog, idleSeconds } = this;
    if (phase === 'ended') watchdog.setWaitLimit(TAIL_SECONDS, NOT_CLOSED, { isDeadline: true });
    else if (phase === 'likelyEnded') watchdog.setWaitLimit(idleSeconds, NOT_CLOSED, { isDeadline: true });
    else watchdog.setWaitLimit(idleSeconds, `The provider sent nothing for ${idleSeconds} seconds.`);
  }

  private addPending(batch: CompletionBatch | undefined): void {
    if (batch) this.pending = this.pending ? merge(this.pending, batch) : batch;
    if (this.parser.error || lengthOf(this.pending) > MAX_PENDING_LENGTH) this.body.pause();
  }

  private endBody(error?: Error): void {
    if (this.bodyEnded) return;
    this.read();
    this.bodyEnded = true;
    if (this.draining) return error ? this.watchdog.close() : this.watchdog.stop();
    const { aborted, reason } = this.watchdog.signal;
    if (!error) this.addPending(this.parser.end());
    else if (!this.watchdog.cancelled)
      this.addPending(this.parser.abort(aborted ? reason : this.errors.fromBrokenBody(error)));
    if (this.pendingRead) this.settleRead(this.pendingRead);
  }

  private drain(): void {
    this.draining = true;
    this.watchdog.setWaitLimit(DRAIN_SECONDS, '');
    this.watchdog.resume();
  }
}

function merge(earlier: CompletionBatch, later: CompletionBatch): CompletionBatch {
  if (later.restarted) {
    const reasoning = earlier.reasoning + earlier.content + later.reasoning;
    return { ...earlier, ...later, reasoning };
  }
  const content = earlier.content + later.content;
  const reasoning = earlier.reasoning + later.reasoning;
  return { ...earlier, ...later, content, reasoning };
}

function hasText({ content, reasoning, restarted }: CompletionBatch): boolean {
  return content !== '' || reasoning !== '' || restarted === true;
}

function hasVisibleText({ content, reasoning }: CompletionBatch): boolean {
  return (content + reasoning).trim() !== '';
}

function lengthOf(batch: CompletionBatch | undefined): number {
  return batch ? batch.content.length + batch.reasoning.length : 0;
}
