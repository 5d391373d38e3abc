import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Message } from '../../messages/message.entity.js';
import { CandidateLookup } from './candidate-lookup.js';
import { SearchIndex } from './search-index.js';
import { SearchIndexer } from './search-indexer.js';
import { SearchSegment } from './search-segment.entity.js';
import { SegmentSizes } from './segment-sizes.js';
import { SegmentStore } from './segment-store.js';

/** Exports SearchIndex only; the other providers are internal to this folder. */
@Module({
  imports: [TypeOrmModule.forFeature([Message, SearchSegment])],
  providers: [SearchIndex, SearchIndexer, SegmentStore, CandidateLookup, SegmentSizes],
  exports: [SearchIndex],
})
export class SearchIndexModule {}
