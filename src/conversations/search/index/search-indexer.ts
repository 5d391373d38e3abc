import { Injectable, Logger, OnModuleDestroy } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DataSource, EntityManager, MoreThanOrEqual, Repository } from 'typeorm';
import { isDuplicateKey, retryContention } from '../../../database/retry.js';
import { Message } from '../../messages/message.entity.js';
import { packAscending } from './search-postings.js';
import { SegmentReader, type Gap } from './segment-reader.js';
import { SearchSegment } from './search-segment.entity.js';
import { BUCKETS, INDEX_VERSION } from './n-grams.js';
import { type Segment, SearchIndex, SearchSizes } from './search-index.js';

/** After so long, whoever claimed a segment is taken for dead. */
const CLAIM_MS = 10 * 60_000;
/** When a segment was claimed that anybody may take down. */
const LONG_AGO = new Date(0);
/** How far the clocks of two nodes may be apart. */
const SKEW_MS = 10_000;
/** What is written or deleted at a time takes SQLite, which holds up the process, a few milliseconds. */
const ROWS_A_WRITE = 500;
const BYTES_A_WRITE = 128 * 1024;
const BUCKETS_A_DELETION = 512;

/**
 * Makes, in the background, the segments by which a search skips what has not its text: of users whose search has had to
 * scan for long, and of those who have deleted what a segment tells of. One at a time; a message that is not streaming
 * never changes, so that a segment stays right. What goes wrong here, the next such search has done again.
 */
@Injectable()
export class SearchIndexer implements OnModuleDestroy {
  private readonly logger = new Logger('SearchIndexer');
  private readonly waiting = new Map<number, Date | undefined>();
  private readonly segments: Repository<SearchSegment>;
  private readonly reader: SegmentReader;
  private running?: Promise<void>;
  private stopping = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly index: SearchIndex,
    private readonly sizes: SearchSizes,
  ) {
    this.segments = database.getRepository(SearchSegment);
    this.reader = new SegmentReader(database.getRepository(Message), sizes, () => this.giveWay());
  }

  /**
   * Has all of a user's segments made that can be, and what is tombstoned made anew.
   * @param deletedSince when the deletion of a conversation began, which is over
   */
  request(userId: number, deletedSince?: Date): void {
    if (this.stopping) return;
    this.waiting.set(userId, this.waiting.get(userId) ?? deletedSince);
    this.running ??= this.run();
  }

  /** Before a conversation goes, in the same transaction: its words must not stay in a segment. */
  async tombstone(manager: EntityManager, userId: number, conversationId: number): Promise<void> {
    const inBlock = 'm.id BETWEEN search_blocks.first_message_id AND search_blocks.last_message_id';
    await manager.query(
      `UPDATE search_blocks SET stale = 1 WHERE user_id = ? AND (ready = 0 OR EXISTS (
         SELECT 1 FROM messages m WHERE m.conversation_id = ? AND ${inBlock}))`,
      [userId, conversationId],
    );
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  private async run(): Promise<void> {
    for (const [userId, deletedSince] of this.waiting) {
      this.waiting.delete(userId);
      try {
        if (deletedSince) await this.tombstoneBegunSince(userId, deletedSince);
        while (await this.step(userId));
      } catch (error) {
        if (!this.stopping)
          this.logger.warn({ error: String(error) }, 'Messages could not be indexed for searches');
      }
    }
    this.running = undefined;
  }

  /** What was begun during a deletion that was not seen there may be made of messages that it still saw. */
  private async tombstoneBegunSince(userId: number, time: Date): Promise<void> {
    const claimedAt = MoreThanOrEqual(new Date(time.getTime() - SKEW_MS));
    await this.segments.update({ userId, tombstoned: false, claimedAt }, { tombstoned: true });
  }

  /** @returns whether there may be more to do */
  private async step(userId: number): Promise<boolean> {
    await this.giveWay();
    const segments = await this.index.list(userId);
    const claimed = segments.find(({ ready }) => !ready);
    if (claimed) return isExpired(claimed) && this.takeDown(claimed);
    const tombstoned = segments.find((segment) => segment.tombstoned);
    if (tombstoned) return this.retire(tombstoned);
    for (const gap of gapsBetween(segments)) if (await this.fill(userId, gap)) return true;
    return false;
  }

  /** From here on searches scan what the segment was of; and where this node ends, the next to come goes on. */
  private async retire({ id }: Segment): Promise<boolean> {
    const { affected } = await this.segments.update(
      { id, ready: true },
      { ready: false, claimedAt: LONG_AGO },
    );
    return affected === 0 || this.takeDown({ id });
  }

  private async takeDown({ id }: Pick<Segment, 'id'>): Promise<true> {
    const sql = 'DELETE FROM search_bits WHERE block_id = ? AND bucket < ?';
    for (let end = BUCKETS_A_DELETION; end < BUCKETS + BUCKETS_A_DELETION; end += BUCKETS_A_DELETION) {
      await retryContention(() => this.database.query(sql, [id, end]));
      await this.giveWay();
    }
    await this.segments.delete({ id });
    return true;
  }

  /** @returns whether a segment has been made at the beginning of a gap */
  private async fill(userId: number, gap: Gap): Promise<boolean> {
    if (gap.last === null && !(await this.reader.findsEnough(userId, gap))) return false;
    const id = await this.claim(userId, gap.first);
    if (id === null) return false;
    let done = false;
    try {
      done = await this.build(id, userId, gap);
    } finally {
      // The next to come takes it down at once. Not deleted here, as that is too much for one statement.
      if (!done) await this.segments.update({ id, ready: false }, { claimedAt: LONG_AGO });
    }
    return done;
  }

  /** @returns the new segment's id; null where another node has begun it */
  private async claim(userId: number, firstMessageId: number): Promise<number | null> {
    const place = { userId, firstMessageId, lastMessageId: firstMessageId, messageCount: 0 };
    const claim = {
      ...place,
      ready: false,
      tombstoned: false,
      claimedAt: new Date(),
      messageIds: Buffer.alloc(0),
      version: INDEX_VERSION,
    };
    try {
      const { identifiers } = await this.segments.insert(claim);
      return identifiers[0]!.id as number;
    } catch (error) {
      if (isDuplicateKey(error)) return null;
      throw error;
    }
  }

  /** Whoever has lost its claim cannot go on: its rows' foreign key refuses them, and the last statement meets no row. */
  private async build(id: number, userId: number, gap: Gap): Promise<boolean> {
    const { ids, postings, isWhole } = await this.reader.read(userId, gap);
    const filled = isWhole && gap.last !== null;
    if (!filled && ids.length < this.sizes.minSegmentMessages) {
      await this.segments.delete({ id });
      return false;
    }
    await this.write(id, postings.packed(ids.length));
    const { affected } = await this.segments.update(
      { id, ready: false },
      {
        lastMessageId: filled ? gap.last! : ids.at(-1)!,
        messageCount: ids.length,
        messageIds: packAscending(ids),
        ready: true,
      },
    );
    return affected === 1;
  }

  private async write(segmentId: number, all: Iterable<[bucket: number, postings: Buffer]>): Promise<void> {
    let rows: [number, Buffer][] = [];
    let bytes = 0;
    for (const row of all) {
      rows.push(row);
      bytes += row[1].length;
      if (rows.length < ROWS_A_WRITE && bytes < BYTES_A_WRITE) continue;
      await this.insert(segmentId, rows);
      rows = [];
      bytes = 0;
    }
    if (rows.length > 0) await this.insert(segmentId, rows);
  }

  private async insert(segmentId: number, rows: [number, Buffer][]): Promise<void> {
    const places = rows.map(() => '(?,?,?)').join(',');
    const values = rows.flatMap(([bucket, postings]) => [segmentId, bucket, postings]);
    const sql = `INSERT INTO search_bits (block_id, bucket, bits) VALUES ${places}`;
    await retryContention(() => this.database.query(sql, values));
    await this.giveWay();
  }

  /** @throws where the process is on its way out */
  private async giveWay(): Promise<void> {
    await nextTurn();
    if (this.stopping) throw new Error('The process is stopping.');
  }
}

const isExpired = ({ claimedAt }: Segment) => claimedAt.getTime() < Date.now() - CLAIM_MS;

/** The oldest first. */
function* gapsBetween(segments: Segment[]): Generator<Gap> {
  let first = 0;
  for (const segment of segments) {
    if (segment.firstMessageId > first) yield { first, last: segment.firstMessageId - 1 };
    first = segment.lastMessageId + 1;
  }
  yield { first, last: null };
}
