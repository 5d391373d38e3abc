import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { setImmediate } from 'node:timers/promises';
import type { Repository } from 'typeorm';
import { Message } from '../../messages/message.entity.js';
import { BUCKETS } from './n-grams.js';
import { type Gap, gapsBetween } from './segment-ranges.js';
import { SegmentReader } from './segment-reader.js';
import { SegmentSizes } from './segment-sizes.js';
import { type PackedPostings, type Segment, SegmentStore } from './segment-store.js';

/** Age at which another node's claim has expired. */
const CLAIM_MS = 10 * 60_000;
/** Sizes of one write or deletion: a few milliseconds on SQLite, which blocks the event loop. */
const MAX_ROWS = 500;
const MAX_BYTES = 128 * 1024;
const MAX_BUCKETS = 512;

/**
 * Builds segments in the background, one at a time, for users whose search scanned a long range, and again after
 * deletions. Ended messages never change, so a finished segment stays valid. Errors are logged; the next request
 * tries again.
 */
@Injectable()
export class SearchIndexer implements OnModuleDestroy {
  private readonly logger = new Logger('SearchIndexer');
  /** Users, with the time since which claimed segments may contain deleted messages. */
  private readonly requests = new Map<number, Date | undefined>();
  private readonly reader: SegmentReader;
  private running?: Promise<void>;
  private stopping = false;

  constructor(
    private readonly segments: SegmentStore,
    private readonly sizes: SegmentSizes,
    @InjectRepository(Message) messages: Repository<Message>,
  ) {
    this.reader = new SegmentReader(messages, sizes, () => this.yieldOrStop());
  }

  /**
   * Builds all missing segments of a user, and rebuilds tombstoned ones.
   * @param deletionBegan start of a conversation's deletion, now committed
   */
  request(userId: number, deletionBegan?: Date): void {
    if (this.stopping) return;
    this.requests.set(userId, this.requests.get(userId) ?? deletionBegan);
    this.running ??= this.run();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  private async run(): Promise<void> {
    for (const [userId, deletionBegan] of this.requests) {
      this.requests.delete(userId);
      try {
        if (deletionBegan) await this.segments.tombstoneClaimedSince(userId, deletionBegan);
        while (await this.step(userId));
      } catch (error) {
        if (!this.stopping) this.logger.warn({ error: String(error) }, 'Failed to index messages for search');
      }
    }
    this.running = undefined;
  }

  /** @returns whether there may be more to do */
  private async step(userId: number): Promise<boolean> {
    await this.yieldOrStop();
    const segments = await this.segments.list(userId);
    const unfinished = segments.find(({ ready }) => !ready);
    if (unfinished) return isExpired(unfinished) && this.delete(unfinished.id);
    const tombstoned = segments.find((segment) => segment.tombstoned);
    if (tombstoned) return !(await this.segments.retire(tombstoned.id)) || this.delete(tombstoned.id);
    for (const gap of gapsBetween(segments)) if (await this.fill(userId, gap)) return true;
    return false;
  }

  private async delete(id: number): Promise<true> {
    for (let end = MAX_BUCKETS; end < BUCKETS + MAX_BUCKETS; end += MAX_BUCKETS) {
      await this.segments.deletePostingsBelow(id, end);
      await this.yieldOrStop();
    }
    await this.segments.delete(id);
    return true;
  }

  /** @returns whether a segment was built at the start of the gap */
  private async fill(userId: number, gap: Gap): Promise<boolean> {
    if (gap.last === null && !(await this.reader.findsEnough(userId, gap))) return false;
    const id = await this.segments.claim(userId, gap.first);
    if (id === null) return false;
    let done = false;
    try {
      done = await this.build(id, userId, gap);
    } finally {
      if (!done) await this.segments.abandon(id);
    }
    return done;
  }

  /** Fails if the claim is lost meanwhile: the foreign key rejects the postings, and no row is left to complete. */
  private async build(id: number, userId: number, gap: Gap): Promise<boolean> {
    const { ids, postings, isWhole } = await this.reader.read(userId, gap);
    const closesGap = isWhole && gap.last !== null;
    if (!closesGap && ids.length < this.sizes.minMessages) {
      await this.segments.delete(id);
      return false;
    }
    await this.write(id, postings.packed(ids.length));
    return this.segments.complete(id, closesGap ? gap.last! : ids.at(-1)!, ids);
  }

  private async write(segmentId: number, postings: Iterable<PackedPostings>): Promise<void> {
    for (const rows of batches(postings)) {
      await this.segments.insertPostings(segmentId, rows);
      await this.yieldOrStop();
    }
  }

  /** @throws while the process shuts down */
  private async yieldOrStop(): Promise<void> {
    await setImmediate();
    if (this.stopping) throw new Error('The process is stopping.');
  }
}

const isExpired = ({ claimedAt }: Segment) => claimedAt.getTime() < Date.now() - CLAIM_MS;

function* batches(rows: Iterable<PackedPostings>): Generator<PackedPostings[]> {
  let batch: PackedPostings[] = [];
  let bytes = 0;
  for (const row of rows) {
    batch.push(row);
    bytes += row[1].length;
    if (batch.length < MAX_ROWS && bytes < MAX_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
