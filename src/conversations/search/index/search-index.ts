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
  /** The newest messages become a block once they are so many. */
  readonly leastBlockMessages: number = 8192;
  readonly mostBlockMessages: number = 32_768;
  /** No clock is so far off, and no transaction takes so long, that a message with a lower id could still come. */
  readonly settledMs: number = 10 * 60_000;
}

export type Segment = Omit<SearchSegment, 'messageIds'>;

/** Messages with ids from `start` to below `end`: those of blocks that follow on each other, or of none. */
export interface Span {
  start: number;
  end: number;
  /** The newest first. */
  blocks: Segment[];
}

/** More would be too much for one of SQLite's statements. */
const MOST_BLOCKS_A_SPAN = 16;
const COLUMNS = {
  id: true,
  userId: true,
  firstMessageId: true,
  lastMessageId: true,
  messageCount: true,
  ready: true,
  stale: true,
  claimedAt: true,
  version: true,
} as const;

/** Reads what the indexer has made. */
@Injectable()
export class SearchIndex {
  constructor(@InjectRepository(SearchSegment) private readonly blocks: Repository<SearchSegment>) {}

  /** In the order of their messages; also those that are not ready, as none of another version is. */
  async list(userId: number): Promise<Segment[]> {
    const order = { firstMessageId: 'ASC' } as const;
    const blocks = await this.blocks.find({ select: COLUMNS, where: { userId }, order });
    return blocks.map((block) => ({ ...block, ready: block.ready && block.version === INDEX_VERSION }));
  }

  /**
   * @returns the ids of all messages of these blocks that may have the text that the buckets are of, the highest first;
   * null where one of the blocks is no longer there
   */
  async candidates(blocks: Segment[], buckets: number[]): Promise<number[] | null> {
    const bits = await this.bitsOf(blocks, buckets);
    if (bits.size < blocks.length) return null;
    const positions = new Map<number, number[]>();
    for (const { id, messageCount } of blocks) {
      const found = intersect(bits.get(id)!, messageCount);
      if (found.length > 0) positions.set(id, found);
    }
    return this.idsAt(positions);
  }

  /** @returns those of each block that is ready; what is not stored is empty */
  private async bitsOf(blocks: Segment[], buckets: number[]): Promise<Map<number, Buffer[]>> {
    const rows = await this.blocks.query<{ id: number | string; bits: Buffer | null }[]>(
      ...this.bitsStatement(blocks, buckets),
    );
    const byBlock = new Map<number, Buffer[]>();
    for (const { id, bits } of rows) {
      const some = byBlock.get(Number(id)) ?? [];
      byBlock.set(Number(id), [...some, bits ?? Buffer.alloc(0)]);
    }
    return byBlock;
  }

  /** Every row by its key; in one statement with `ready`, as a block may be taken down at any time. */
  bitsStatement(blocks: Pick<Segment, 'id'>[], buckets: number[]): [string, unknown[]] {
    const wanted = buckets.map(() => 'SELECT ? AS bucket').join(' UNION ALL ');
    const places = blocks.map(() => '?').join(',');
    const sql = `SELECT block.id AS id, found.bits AS bits
      FROM search_blocks block CROSS JOIN (${wanted}) wanted
      LEFT JOIN search_bits found ON found.block_id = block.id AND found.bucket = wanted.bucket
      WHERE block.id IN (${places}) AND block.ready = 1`;
    return [sql, [...buckets, ...blocks.map(({ id }) => id)]];
  }

  private async idsAt(positions: Map<number, number[]>): Promise<number[] | null> {
    if (positions.size === 0) return [];
    const rows = await this.blocks.find({
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

/** Whether some of what has had blocks has none, or one that is stale: after a deletion, or a crash. */
export function hasGaps(blocks: Segment[]): boolean {
  return blocks.some(({ ready, stale, firstMessageId }, at) => {
    const first = at === 0 ? 0 : blocks[at - 1]!.lastMessageId + 1;
    return !ready || stale || firstMessageId > first;
  });
}

/** All ids below `end`, the highest first: spans of blocks, each of more than the one before, and what is between. */
export function* spansOf(blocks: Segment[], end: number): Generator<Span> {
  const left = blocks.filter(({ ready, firstMessageId }) => ready && firstMessageId < end);
  for (let most = 1; left.length > 0; most = Math.min(2 * most, MOST_BLOCKS_A_SPAN)) {
    const newest = left.pop()!;
    if (newest.lastMessageId + 1 < end) yield { start: newest.lastMessageId + 1, end, blocks: [] };
    const some = [newest];
    while (some.length < most && left.at(-1)?.lastMessageId === some.at(-1)!.firstMessageId - 1)
      some.push(left.pop()!);
    const start = some.at(-1)!.firstMessageId;
    yield { start, end: Math.min(end, newest.lastMessageId + 1), blocks: some };
    end = start;
  }
  if (end > 0) yield { start: 0, end, blocks: [] };
}
