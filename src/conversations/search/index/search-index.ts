import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { CandidateLookup } from './candidate-lookup.js';
import { bucketsOf } from './n-grams.js';
import { SearchIndexer } from './search-indexer.js';
import { hasGaps, type IdRange, rangesOf, type SegmentRange } from './segment-ranges.js';
import { SegmentStore } from './segment-store.js';

export type { IdRange };

export interface LookUpRange extends IdRange {
  /** Ids of the messages that may contain the text, highest first; null if the range has to be scanned. */
  candidates: number[] | null;
}

/**
 * Index of the n-grams in long histories, the interface of this folder. It only filters: a search compares the
 * candidates itself and scans the ranges that are not indexed. See docs/search-index.md.
 */
@Injectable()
export class SearchIndex {
  constructor(
    private readonly segments: SegmentStore,
    private readonly lookup: CandidateLookup,
    private readonly indexer: SearchIndexer,
  ) {}

  /**
   * Covers all ids below `end` in ranges, highest first. Each range is read when it is requested.
   * @param key folded text, see foldText
   */
  async *lookUp(userId: number, key: string, end: number): AsyncGenerator<LookUpRange> {
    const segments = await this.segments.list(userId);
    const buckets = bucketsOf(key);
    try {
      for (const range of rangesOf(segments, end)) yield await this.lookUpRange(range, buckets);
    } finally {
      // Last, so that the repair does not slow this search down.
      if (hasGaps(segments)) this.indexer.request(userId);
    }
  }

  /** Builds a user's missing segments in the background. */
  requestBuild(userId: number): void {
    this.indexer.request(userId);
  }

  /** Marks the segments of a conversation for rebuilding. Call it in the transaction that deletes the conversation. */
  async tombstone(manager: EntityManager, userId: number, conversationId: number): Promise<void> {
    await this.segments.tombstone(manager, userId, conversationId);
  }

  /**
   * Rebuilds tombstoned segments in the background.
   * @param deletionBegan start of the deletion, now committed
   */
  requestRebuild(userId: number, deletionBegan: Date): void {
    this.indexer.request(userId, deletionBegan);
  }

  private async lookUpRange({ start, end, segments }: SegmentRange, buckets: number[]): Promise<LookUpRange> {
    const found = segments.length > 0 ? await this.lookup.find(segments, buckets) : null;
    return { start, end, candidates: found && found.filter((id) => id < end) };
  }
}
