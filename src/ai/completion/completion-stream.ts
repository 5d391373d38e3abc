import type { Readable } from 'node:stream';
import type { EgressResponse } from '../egress/egress-fetch.js';
import { ProviderErrorFactory } from '../errors/provider-error-factory.js';
import { CompletionBatch } from '../provider/provider.js';
import { ReadCoalescer } from './read-coalescer.js';
import { type Phase, CompletionParser } from './completion-parser.js';
import { Watchdog } from './watchdog.js';

/** How long a reply that has given its finish reason is waited on for its usage and its `[DONE]`. */
const TAIL_SECONDS = 2;
const NOT_CLOSED = 'The provider did not hang up.';
/** How long a connection may take to come free for the next request, after `[DONE]`. */
const DRAIN_SECONDS = 1;
/** More text than this, waiting to be taken, is left with the provider. UTF-16 code units. */
const MAX_PENDING_LENGTH = 256 * 1024;
/** What comes faster than this is not kept for the next round. */
const MAX_UNREAD_BYTES = 64 * 1024;

export type NextBatch = IteratorResult<CompletionBatch, undefined>;
export const END: NextBatch = { value: undefined, done: true };

/**
 * A reply from before it is asked for to its end. It is an iterator by hand, as a generator takes several turns of the
 * microtask queue for each batch, and its return() would wait for the read under way, which may take for ever.
 */
export class CompletionIterator implements AsyncIterator<CompletionBatch, undefined> {
  private reply?: CompletionStream;

  constructor(
    private readonly watchdog: Watchdog,
    private readonly errors: ProviderErrorFactory,
    private readonly open: () => Promise<{ reply: CompletionStream; first: NextBatch }>,
  ) {}

  next(): Promise<NextBatch> {
    return this.reply ? this.reply.next() : this.begin();
  }

  return(): Promise<NextBatch> {
    this.watchdog.closeByReader();
    return Promise.resolve(END);
  }

  private async begin(): Promise<NextBatch> {
    const { watchdog } = this;
    try {
      watchdog.start();
      const { reply, first } = await this.open();
      this.reply = reply;
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

/** One answer of a provider. What came together, or waits together, is taken together. */
export class CompletionStream {
  private readonly parser: CompletionParser;
  private readonly body: Readable;
  /** What has come since the last round. */
  private unread?: Buffer[];
  private unreadBytes = 0;
  private pending?: CompletionBatch;
  private pendingRead?: PendingRead;
  private phase: Phase = 'first';
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
   * The next batch, or the end once the reply is whole; rejects with a ProviderError when it never will be. Once a
   * batch has been taken, its connection closes by itself with the end or the error.
   */
  next(): Promise<NextBatch> {
    return new Promise((resolve, reject) => {
      this.settleRead({ resolve, reject });
    });
  }

  /** Closes the connection, unless the reply is whole and leaves it fit for the next request. */
  close(): void {
    if (this.bodyEnded) this.watchdog.stop();
    else if (this.parser.done && !this.watchdog.cancelled) this.drain();
    else this.watchdog.close();
  }

  private settleRead(taker: PendingRead): void {
    this.pendingRead = undefined;
    this.watchdog.pause();
    try {
      const next = this.takeNext();
      if (!next) return this.keepWaiting(taker);
      taker.resolve(next);
      if (next.done) this.close();
    } catch (error) {
      taker.reject(error);
      if (this.hasDelivered) this.close();
    }
  }

  private keepWaiting(taker: PendingRead): void {
    this.pendingRead = taker;
    this.watchdog.resume();
  }

  /** What there is to give, if anything: text first, then how it ended. Throws what it ended with. */
  private takeNext(): NextBatch | undefined {
    const { watchdog, parser: reader, pending: waiting } = this;
    if (watchdog.closedByReader) return END;
    if (watchdog.cancelled) throw watchdog.signal.reason;
    // Its usage and finish reason wait for the end: text is what a first batch is about.
    if (waiting && (hasText(waiting) || reader.error || reader.done || this.bodyEnded)) {
      this.hasDelivered = true;
      this.pending = undefined;
      if (this.body.isPaused()) this.body.resume();
      return { value: waiting, done: false };
    }
    if (reader.error) throw reader.error;
    return reader.done || this.bodyEnded ? END : undefined;
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
    const { phase: patience } = this.parser;
    if (patience !== this.phase || (patience === 'lull' && batch && hasVisibleText(batch)))
      this.setWaitLimit(patience);
    if (this.pendingRead) this.settleRead(this.pendingRead);
  }

  /** After an end, bytes that say nothing buy no more time. */
  private setWaitLimit(patience: Phase): void {
    this.phase = patience;
    const { watchdog, idleSeconds } = this;
    if (patience === 'tail') watchdog.setWaitLimit(TAIL_SECONDS, NOT_CLOSED, { isDeadline: true });
    else if (patience === 'lull') watchdog.setWaitLimit(idleSeconds, NOT_CLOSED, { isDeadline: true });
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
