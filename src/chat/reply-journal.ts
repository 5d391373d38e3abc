import { Injectable, Logger, OnModuleDestroy } from '@nestjs/common';
import { ReplyStore } from './reply-store.js';
import type { Reply, UnsavedChunk } from './reply.js';

/** Text waits this long at most before it is written; a write and the timer's slack fit within the promised 250 ms. */
const FLUSH_INTERVAL_MS = 200;
/** While more than this waits for a database that is away, providers are not read. UTF-16 code units. */
const MAX_UNSAVED = 64 * 1024 * 1024;

/**
 * Brings the text of all running replies to the database, a few times a second and in one statement. While the
 * database is away the text stays in memory, bounded, and is written when it is back.
 */
@Injectable()
export class ReplyJournal implements OnModuleDestroy {
  private readonly logger = new Logger('ReplyJournal');
  private readonly replies = new Set<Reply>();
  private readonly timer = setInterval(() => void this.flush(), FLUSH_INTERVAL_MS).unref();
  private ended: number[] = [];
  private flushing: Promise<void> | null = null;
  private unsaved = 0;
  private waiting: (() => void)[] = [];
  private failing = false;

  constructor(private readonly store: ReplyStore) {}

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  add(reply: Reply): void {
    this.replies.add(reply);
  }

  /** When this resolves, nothing more of the reply is being written. */
  async remove(reply: Reply): Promise<void> {
    this.replies.delete(reply);
    await this.flushing;
  }

  /** The reply's end, with its whole text, is stored: its chunks may go, with the next write. */
  discard(messageId: number): void {
    this.ended.push(messageId);
  }

  /** Null, or what to wait for before more is taken from providers. */
  full(): Promise<void> | null {
    if (this.unsaved < MAX_UNSAVED) return null;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Writes what there is; at most one write is under way. */
  flush(): Promise<void> {
    this.flushing ??= this.write().finally(() => (this.flushing = null));
    return this.flushing;
  }

  private async write(): Promise<void> {
    const taken = [...this.replies].map((reply) => ({ reply, chunks: reply.takeUnsaved() }));
    const chunks = taken.flatMap((entry) => entry.chunks);
    const ended = this.ended;
    this.ended = [];
    try {
      if (chunks.length > 0) await this.store.append(chunks);
      if (ended.length > 0) await this.store.deleteChunks(ended);
      this.report(null);
    } catch (error) {
      taken.forEach(({ reply, chunks }) => reply.giveBack(chunks));
      this.ended = [...ended, ...this.ended];
      this.report(error);
    }
    this.measure(chunks);
  }

  private measure(chunks: UnsavedChunk[]): void {
    this.unsaved = this.failing ? chunks.reduce((sum, chunk) => sum + chunk.text.length, 0) : 0;
    if (this.unsaved >= MAX_UNSAVED) return;
    this.waiting.forEach((resume) => resume());
    this.waiting = [];
  }

  /** Says once that the database is away, and once that it is back. */
  private report(error: unknown): void {
    if (error && !this.failing)
      this.logger.warn(`Replies cannot be stored for now: ${(error as Error).message}`);
    if (!error && this.failing) this.logger.log('Replies are stored again.');
    this.failing = Boolean(error);
  }
}
