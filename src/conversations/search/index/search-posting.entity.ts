import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { BYTES, ID } from '../../../database/columns.js';
import { SearchSegment } from './search-segment.entity.js';

/** Messages of a segment with an n-gram of a bucket; buckets without messages have no row. */
@Entity('search_bits')
export class SearchPosting {
  @PrimaryColumn({ ...ID, name: 'block_id' })
  segmentId!: number;

  @ManyToOne(() => SearchSegment, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'block_id', foreignKeyConstraintName: 'fk_search_bits_block_id' })
  segment?: Relation<SearchSegment>;

  @PrimaryColumn({ type: 'int' })
  bucket!: number;

  /** Packed positions in the segment, see search-postings.ts. */
  @Column({ ...BYTES, name: 'bits' })
  postings!: Buffer;
}
