import { Injectable, Logger } from '@nestjs/common';
import { publishMeasurement } from '../../common/logging/measurements.js';
import { ReplyRepository, type UnsavedChunk } from './reply-repository.js';
import { lengthOf, type ActiveReply } from './active-reply.js';

/** Leaves 50 ms of the promised 250 ms for the write and the timer's delay. */
const FLUSH_INTERVAL_MS = 200;
/** Providers are not read while more text is unsaved. UTF-16 code units. */
export const MAX_UNSAVED = 64 * 1024 * 1024;

/**
 * Writes the text of all running replies to the database, periodically and in one statement. While the database is
 * unavailable the text stays in memory, up to a limit, and is written later.
 */
@Injectable()
export class ReplyWriteBuffer {
  private readonly logger = new Logger('ReplyWriteBuffer');
  private readonly replies = new Set<ActiveReply>();
  private readonly timer = setInterval(() => void this.flush(), FLUSH_INTERVAL_MS).unref();
  /** Ids of ended replies whose chunks are to be deleted. */
  private ended: number[] = [];
  /** Unsaved length of each reply whose end is not stored yet. UTF-16 code units. */
  private readonly ending = new Map<number, number>();
  private flushing: Promise<void> | null = null;
  /** Unsaved length of all replies, including text that is being written. UTF-16 code units. */
  private unsaved = 0;
  private waiting: (() => void)[] = [];
  private failing = false;
  /** Start of the last successful write. */
  private savedAt = performance.now();

  constructor(private readonly repository: ReplyRepository) {}

  /** Replies that have ended but whose end is not stored yet. */
  get endsWaiting(): number {
    return this.ending.size;
  }

  /** UTF-16 code units. */
  get unsavedLength(): number {
    return this.unsaved;
  }

  /** Upper bound of the age of the oldest unsaved text. */
  get unsavedMs(): number {
    return this.unsaved > 0 ? performance.now() - this.savedAt : 0;
  }

  add(reply: ActiveReply): void {
    this.replies.add(reply);
  }

  /**
   * Resolves when no more of the reply is being written. Its unsaved text is stored with its end and counts as unsaved
   * until {@link discard}.
   */
  async remove(reply: ActiveReply): Promise<void> {
    this.replies.delete(reply);
    await this.flushing;
    this.ending.set(reply.message.id, reply.unsavedLength);
  }

  /** Deletes the reply's chunks with the next write, once its end is stored. */
  discard(messageId: number): void {
    this.ended.push(messageId);
    this.shrink(this.ending.get(messageId) ?? 0);
    this.ending.delete(messageId);
  }

  /** Stops counting the reply's unsaved text, before its next attempt drops it. */
  forget(reply: ActiveReply): void {
    this.shrink(reply.unsavedLength);
  }

  /**
   * Counts text added to a reply.
   * @returns null, or a promise to await before reading more from the provider; an abort resolves it
   */
  grow(length: number, signal: AbortSignal): Promise<void> | null {
    this.unsaved += length;
    if (this.unsaved < MAX_UNSAVED || signal.aborted) return null;
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Writes unsaved text; joins a write that is in progress. */
  flush(): Promise<void> {
    this.flushing ??= this.write().finally(() => (this.flushing = null));
    return this.flushing;
  }

  /** Writes one last time, after all replies have ended. */
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
      taken.forEach(({ reply, chunks }) => reply.returnUnsaved(chunks));
      throw error;
    }
    this.saved(chunks, startedAt);
  }

  private saved(chunks: UnsavedChunk[], startedAt: number): void {
    this.shrink(lengthOf(chunks));
    // Text of ended replies is not among the chunks; it stays unsaved until their ends are stored.
    if (chunks.length > 0 || this.unsaved === 0) this.savedAt = startedAt;
    const seconds = (performance.now() - startedAt) / 1000;
    if (chunks.length > 0) publishMeasurement('replies.flushed', { seconds, rows: chunks.length });
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

  /** Logs the first failure, and the first success after it. */
  private report(error: unknown): void {
    if (error && !this.failing)
      this.logger.warn(`Failed to store replies, retrying: ${(error as Error).message}`);
    if (!error && this.failing) this.logger.log('Replies are stored again');
    this.failing = Boolean(error);
  }
}
