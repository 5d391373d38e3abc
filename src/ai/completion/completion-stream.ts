import type { Readable } from 'node:stream';
import type { EgressResponse } from '../egress/egress-fetch.js';
import { ProviderErrors } from '../errors/provider-errors.js';
import { ReplyBatch } from '../provider/provider.js';
import { ReadCoalescer } from './read-coalescer.js';
import { type Patience, CompletionParser } from './completion-parser.js';
import { Watchdog } from './watchdog.js';

/** How long a reply that has given its finish reason is waited on for its usage and its `[DONE]`. */
const TAIL_SECONDS = 2;
const NO_HANGUP = 'The provider did not hang up.';
/** How long a connection may take to come free for the next request, after `[DONE]`. */
const SETTLE_SECONDS = 1;
/** More text than this, waiting to be taken, is left with the provider. UTF-16 code units. */
const MAX_WAITING = 256 * 1024;
/** What comes faster than this is not kept for the next round. */
const MAX_UNREAD_BYTES = 64 * 1024;

export type NextBatch = IteratorResult<ReplyBatch, undefined>;
export const END: NextBatch = { value: undefined, done: true };

interface Taker {
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
  private waiting?: ReplyBatch;
  private taker?: Taker;
  private patience: Patience = 'first';
  private given = false;
  private over = false;
  private leaving = false;

  constructor(
    { body }: EgressResponse,
    private readonly watchdog: Watchdog,
    private readonly idleSeconds: number,
    private readonly errors: ProviderErrors,
    private readonly coalescer: ReadCoalescer,
  ) {
    this.parser = new CompletionParser(errors);
    this.body = body;
    body.on('data', (bytes: Buffer) => this.receive(bytes));
    body.on('end', () => this.finish());
    body.on('error', (error) => this.finish(error));
    body.on('close', () => this.finish(new Error('The body was closed')));
  }

  /**
   * The next batch, or the end once the reply is whole; rejects with a ProviderError when it never will be. Once a
   * batch has been taken, its connection closes by itself with the end or the error.
   */
  next(): Promise<NextBatch> {
    return new Promise((resolve, reject) => {
      this.answer({ resolve, reject });
    });
  }

  /** Closes the connection, unless the reply is whole and leaves it fit for the next request. */
  close(): void {
    if (this.over) this.watchdog.stop();
    else if (this.parser.done && !this.watchdog.abandoned) this.settle();
    else this.watchdog.close();
  }

  private answer(taker: Taker): void {
    this.taker = undefined;
    this.watchdog.pause();
    try {
      const next = this.take();
      if (!next) return this.wait(taker);
      taker.resolve(next);
      if (next.done) this.close();
    } catch (error) {
      taker.reject(error);
      if (this.given) this.close();
    }
  }

  private wait(taker: Taker): void {
    this.taker = taker;
    this.watchdog.resume();
  }

  /** What there is to give, if anything: text first, then how it ended. Throws what it ended with. */
  private take(): NextBatch | undefined {
    const { watchdog, parser: reader, waiting } = this;
    if (watchdog.left) return END;
    if (watchdog.abandoned) throw watchdog.signal.reason;
    // Its usage and finish reason wait for the end: text is what a first batch is about.
    if (waiting && (hasText(waiting) || reader.fault || reader.done || this.over)) {
      this.given = true;
      this.waiting = undefined;
      if (this.body.isPaused()) this.body.resume();
      return { value: waiting, done: false };
    }
    if (reader.fault) throw reader.fault;
    return reader.done || this.over ? END : undefined;
  }

  private receive(bytes: Buffer): void {
    if (this.leaving) return this.watchdog.close();
    this.unreadBytes += bytes.length;
    if (!this.unread) {
      this.unread = [bytes];
      this.coalescer.join(this.read);
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
    this.keep(batch);
    const { patience } = this.parser;
    if (patience !== this.patience || (patience === 'lull' && batch && speaks(batch))) this.allow(patience);
    if (this.taker) this.answer(this.taker);
  }

  /** After an end, bytes that say nothing buy no more time. */
  private allow(patience: Patience): void {
    this.patience = patience;
    const { watchdog, idleSeconds } = this;
    if (patience === 'tail') watchdog.allow(TAIL_SECONDS, NO_HANGUP, { isDeadline: true });
    else if (patience === 'lull') watchdog.allow(idleSeconds, NO_HANGUP, { isDeadline: true });
    else watchdog.allow(idleSeconds, `The provider sent nothing for ${idleSeconds} seconds.`);
  }

  private keep(batch: ReplyBatch | undefined): void {
    if (batch) this.waiting = this.waiting ? joined(this.waiting, batch) : batch;
    if (this.parser.fault || lengthOf(this.waiting) > MAX_WAITING) this.body.pause();
  }

  private finish(error?: Error): void {
    if (this.over) return;
    this.read();
    this.over = true;
    if (this.leaving) return error ? this.watchdog.close() : this.watchdog.stop();
    const { aborted, reason } = this.watchdog.signal;
    if (!error) this.keep(this.parser.end());
    else if (!this.watchdog.abandoned)
      this.keep(this.parser.cut(aborted ? reason : this.errors.ofBreak(error)));
    if (this.taker) this.answer(this.taker);
  }

  private settle(): void {
    this.leaving = true;
    this.watchdog.allow(SETTLE_SECONDS, '');
    this.watchdog.resume();
  }
}

function joined(earlier: ReplyBatch, later: ReplyBatch): ReplyBatch {
  if (later.restarted) {
    const reasoning = earlier.reasoning + earlier.content + later.reasoning;
    return { ...earlier, ...later, reasoning };
  }
  const content = earlier.content + later.content;
  const reasoning = earlier.reasoning + later.reasoning;
  return { ...earlier, ...later, content, reasoning };
}

function hasText({ content, reasoning, restarted }: ReplyBatch): boolean {
  return content !== '' || reasoning !== '' || restarted === true;
}

function speaks({ content, reasoning }: ReplyBatch): boolean {
  return (content + reasoning).trim() !== '';
}

function lengthOf(batch: ReplyBatch | undefined): number {
  return batch ? batch.content.length + batch.reasoning.length : 0;
}
