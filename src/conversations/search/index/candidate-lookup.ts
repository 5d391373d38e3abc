import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, type Repository } from 'typeorm';
import { intersect, unpackAscending } from './search-postings.js';
import { SearchSegment } from './search-segment.entity.js';
import type { Segment } from './segment-store.js';

/** Finds the messages of segments that have all n-grams of a text. */
@Injectable()
export class CandidateLookup {
  constructor(@InjectRepository(SearchSegment) private readonly segments: Repository<SearchSegment>) {}

  /**
   * @param buckets of the text's n-grams, see bucketsOf
   * @returns message ids, highest first; null if a segment is no longer ready
   */
  async find(segments: Segment[], buckets: number[]): Promise<number[] | null> {
    const postings = await this.readPostings(segments, buckets);
    if (postings.size < segments.length) return null;
    const positions = new Map<number, number[]>();
    for (const { id, messageCount } of segments) {
      const found = intersect(postings.get(id)!, messageCount);
      if (found.length > 0) positions.set(id, found);
    }
    return this.idsAt(positions);
  }

  /** @returns postings by segment, for ready segments only; buckets without a row have empty ones */
  private async readPostings(segments: Segment[], buckets: number[]): Promise<Map<number, Buffer[]>> {
    const rows = await this.segments.query<{ id: number | string; postings: Buffer | null }[]>(
      ...this.postingsStatement(segments, buckets),
    );
    const bySegment = new Map<number, Buffer[]>();
    for (const { id, postings } of rows) {
      const others = bySegment.get(Number(id)) ?? [];
      bySegment.set(Number(id), [...others, postings ?? Buffer.alloc(0)]);
    }
    return bySegment;
  }

  /** Reads each row by its primary key, and `ready` in the same statement: a segment can be retired at any time. */
  postingsStatement(segments: Pick<Segment, 'id'>[], buckets: number[]): [string, unknown[]] {
    const wanted = buckets.map(() => 'SELECT ? AS bucket').join(' UNION ALL ');
    const placeholders = segments.map(() => '?').join(',');
    const sql = `SELECT segment.id AS id, posting.bits AS postings
      FROM search_blocks segment CROSS JOIN (${wanted}) wanted
      LEFT JOIN search_bits posting ON posting.block_id = segment.id AND posting.bucket = wanted.bucket
      WHERE segment.id IN (${placeholders}) AND segment.ready = 1`;
    return [sql, [...buckets, ...segments.map(({ id }) => id)]];
  }

  /** @param positions by segment */
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
