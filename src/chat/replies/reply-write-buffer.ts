import { Injectable, Logger } from '@nestjs/common';
import { measure } from '../../common/logging/measures.js';
import { ReplyRepository } from './reply-repository.js';
import { lengthOf, type ActiveReply } from './active-reply.js';

/** Text waits this long at most before it is written; a write and the timer's slack fit within the promised 250 ms. */
const FLUSH_INTERVAL_MS = 200;
/** While more than this waits for a database that is away, providers are not read. UTF-16 code units. */
export const MAX_UNSAVED = 64 * 1024 * 1024;

/**
 * Brings the text of all running replies to the database, a few times a second and in one statement. While the
 * database is away the text stays in memory, bounded, and is written when it is back.
 */
@Injectable()
export class ReplyWriteBuffer {
  private readonly logger = new Logger('ReplyWriteBuffer');
  private readonly replies = new Set<ActiveReply>();
  private readonly timer = setInterval(() => void this.flush(), FLUSH_INTERVAL_MS).unref();
  private ended: number[] = [];
  /** Text of replies that have ended, until their ends are stored. UTF-16 code units. */
  private readonly ending = new Map<number, number>();
  private flushing: Promise<void> | null = null;
  /** Of all replies, what is being written included. */
  private unsaved = 0;
  private waiting: (() => void)[] = [];
  private failing = false;
  /** When the text was taken that the last write stored. */
  private savedAt = performance.now();

  constructor(private readonly repository: ReplyRepository) {}

  /** Replies that have ended, and whose end is not stored yet. */
  get endsWaiting(): number {
    return this.ending.size;
  }

  /** UTF-16 code units. */
  get unsavedLength(): number {
    return this.unsaved;
  }

  /** How long the oldest unsaved text has waited, at most. */
  get unsavedMs(): number {
    return this.unsaved > 0 ? performance.now() - this.savedAt : 0;
  }

  add(reply: ActiveReply): void {
    this.replies.add(reply);
  }

  /** When this resolves, nothing more of the reply is being written. What is unsaved goes with its end, and counts until then. */
  async remove(reply: ActiveReply): Promise<void> {
    this.replies.delete(reply);
    await this.flushing;
    this.ending.set(reply.message.id, reply.unsavedLength);
  }

  /** The reply's end, with its whole text, is stored: its chunks may go, with the next write. */
  discard(messageId: number): void {
    this.ended.push(messageId);
    this.shrink(this.ending.get(messageId) ?? 0);
    this.ending.delete(messageId);
  }

  /** The reply's text begins anew, so that what is unsaved of it need not be written. */
  forget(reply: ActiveReply): void {
    this.shrink(reply.unsavedLength);
  }

  /**
   * Counts text that a reply has taken in.
   * @returns null, or what to wait for before more is taken from its provider; an abort ends the wait
   */
  grow(length: number, signal: AbortSignal): Promise<void> | null {
    this.unsaved += length;
    if (this.unsaved < MAX_UNSAVED || signal.aborted) return null;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Writes what there is; at most one write is under way. */
  flush(): Promise<void> {
    this.flushing ??= this.write().finally(() => (this.flushing = null));
    return this.flushing;
  }

  /** Writes for the last time, once no reply runs any more. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.flushing;
    await this.flush();
  }

  private async write(): Promise<void> {
    try {
      await this.append();
      await this.deleteEnded();
      this.report(null);
    } catch (error) {
      this.report(error);
    }
  }

  private async append(): Promise<void> {
    const taken = [...this.replies].map((reply) => ({ reply, chunks: reply.takeUnsaved() }));
    const chunks = taken.flatMap((entry) => entry.chunks);
    const startedAt = performance.now();
    try {
      await this.repository.append(chunks);
    } catch (error) {
      taken.forEach(({ reply, chunks }) => reply.giveBack(chunks));
      throw error;
    }
    this.shrink(lengthOf(chunks));
    // Text of replies that have ended is not among the chunks: it waits for its end to be stored.
    if (chunks.length > 0 || this.unsaved === 0) this.savedAt = startedAt;
    const seconds = (performance.now() - startedAt) / 1000;
    if (chunks.length > 0) measure('replies.saved', { seconds, rows: chunks.length });
  }

  private async deleteEnded(): Promise<void> {
    const count = this.ended.length;
    await this.repository.deleteChunks(this.ended.slice(0, count));
    this.ended.splice(0, count);
  }

  private shrink(length: number): void {
    this.unsaved -= length;
    if (this.unsaved >= MAX_UNSAVED) return;
    this.waiting.forEach((resume) => resume());
    this.waiting = [];
  }

  /** Says once that the database is away, and once that it is back. */
  private report(error: unknown): void {
    if (error && !this.failing)
      this.logger.warn(`Failed to store replies, trying again: ${(error as Error).message}`);
    if (!error && this.failing) this.logger.log('Replies are stored again.');
    this.failing = Boolean(error);
  }
}
