import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { intersect, unpackAscending } from './search-postings.js';
import { SearchSegment } from './search-segment.entity.js';
import { INDEX_VERSION } from './n-grams.js';

/** The tests' are smaller. */
@Injectable()
export class SearchSizes {
  /** Messages that a statement scans: few, as SQLite's statements hold up the process (this many for some 5 ms). */
  readonly stretchMessages: number = 5000;
  /** The newest messages become a segment once they are so many. */
  readonly minSegmentMessages: number = 8192;
  readonly maxSegmentMessages: number = 32_768;
  /** No clock is so far off, and no transaction takes so long, that a message with a lower id could still come. */
  readonly settledMs: number = 10 * 60_000;
}

export type Segment = Omit<SearchSegment, 'messageIds'>;

/** Messages with ids from `start` to below `end`: those of segments that follow on each other, or of none. */
export interface Span {
  start: number;
  end: number;
  /** The newest first. */
  segments: Segment[];
}

/** More would be too much for one of SQLite's statements. */
const MAX_SEGMENTS_PER_SPAN = 16;
const COLUMNS = {
  id: true,
  userId: true,
  firstMessageId: true,
  lastMessageId: true,
  messageCount: true,
  ready: true,
  tombstoned: true,
  claimedAt: true,
  version: true,
} as const;

/** Reads what the indexer has made. */
@Injectable()
export class SearchIndex {
  constructor(@InjectRepository(SearchSegment) private readonly segments: Repository<SearchSegment>) {}

  /** In the order of their messages; also those that are not ready, as none of another version is. */
  async list(userId: number): Promise<Segment[]> {
    const order = { firstMessageId: 'ASC' } as const;
    const segments = await this.segments.find({ select: COLUMNS, where: { userId }, order });
    return segments.map((segment) => ({
      ...segment,
      ready: segment.ready && segment.version === INDEX_VERSION,
    }));
  }

  /**
   * @returns the ids of all messages of these segments that may have the text that the buckets are of, the highest first;
   * null where one of the segments is no longer there
   */
  async candidates(segments: Segment[], buckets: number[]): Promise<number[] | null> {
    const postings = await this.postingsOf(segments, buckets);
    if (postings.size < segments.length) return null;
    const positions = new Map<number, number[]>();
    for (const { id, messageCount } of segments) {
      const found = intersect(postings.get(id)!, messageCount);
      if (found.length > 0) positions.set(id, found);
    }
    return this.idsAt(positions);
  }

  /** @returns those of each segment that is ready; what is not stored is empty */
  private async postingsOf(segments: Segment[], buckets: number[]): Promise<Map<number, Buffer[]>> {
    const rows = await this.segments.query<{ id: number | string; postings: Buffer | null }[]>(
      ...this.postingsStatement(segments, buckets),
    );
    const bySegment = new Map<number, Buffer[]>();
    for (const { id, postings } of rows) {
      const some = bySegment.get(Number(id)) ?? [];
      bySegment.set(Number(id), [...some, postings ?? Buffer.alloc(0)]);
    }
    return bySegment;
  }

  /** Every row by its key; in one statement with `ready`, as a segment may be taken down at any time. */
  postingsStatement(segments: Pick<Segment, 'id'>[], buckets: number[]): [string, unknown[]] {
    const wanted = buckets.map(() => 'SELECT ? AS bucket').join(' UNION ALL ');
    const places = segments.map(() => '?').join(',');
    const sql = `SELECT segment.id AS id, posting.bits AS postings
      FROM search_blocks segment CROSS JOIN (${wanted}) wanted
      LEFT JOIN search_bits posting ON posting.block_id = segment.id AND posting.bucket = wanted.bucket
      WHERE segment.id IN (${places}) AND segment.ready = 1`;
    return [sql, [...buckets, ...segments.map(({ id }) => id)]];
  }

  private async idsAt(positions: Map<number, number[]>): Promise<number[] | null> {
    if (positions.size === 0) return [];
    const rows = await this.segments.find({
      select: { id: true, messageIds: true },
      where: { id: In([...positions.keys()]) },
    });
    if (rows.length < positions.size) return null;
    const ids = rows.flatMap(({ id, messageIds }) => {
      const all = unpackAscending(messageIds);
      return positions.get(id)!.map((position) => all[position]!);
    });
    return ids.sort((a, b) => b - a);
  }
}

/** Whether some of what has had segments has none, or one that is tombstoned: after a deletion, or a crash. */
export function hasGaps(segments: Segment[]): boolean {
  return segments.some(({ ready, tombstoned, firstMessageId }, at) => {
    const first = at === 0 ? 0 : segments[at - 1]!.lastMessageId + 1;
    return !ready || tombstoned || firstMessageId > first;
  });
}

/** All ids below `end`, the highest first: spans of segments, each of more than the one before, and what is between. */
export function* spansOf(segments: Segment[], end: number): Generator<Span> {
  const left = segments.filter(({ ready, firstMessageId }) => ready && firstMessageId < end);
  for (let most = 1; left.length > 0; most = Math.min(2 * most, MAX_SEGMENTS_PER_SPAN)) {
    const newest = left.pop()!;
    if (newest.lastMessageId + 1 < end) yield { start: newest.lastMessageId + 1, end, segments: [] };
    const some = [newest];
    while (some.length < most && left.at(-1)?.lastMessageId === some.at(-1)!.firstMessageId - 1)
      some.push(left.pop()!);
    const start = some.at(-1)!.firstMessageId;
    yield { start, end: Math.min(end, newest.lastMessageId + 1), segments: some };
    end = start;
  }
  if (end > 0) yield { start: 0, end, segments: [] };
}
