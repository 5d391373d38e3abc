import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { BYTES, ID } from '../../../database/columns.js';
import { SearchSegment } from './search-segment.entity.js';

/** Which messages of a segment have an n-gram of a bucket; there is no row where none has. */
@Entity('search_bits')
export class SearchPosting {
  @PrimaryColumn({ ...ID, name: 'block_id' })
  segmentId!: number;

  @ManyToOne(() => SearchSegment, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'block_id', foreignKeyConstraintName: 'fk_search_bits_block_id' })
  segment?: Relation<SearchSegment>;

  @PrimaryColumn({ type: 'int' })
  bucket!: number;

  /** Positions in the segment: see search-postings.ts. */
  @Column({ ...BYTES, name: 'bits' })
  postings!: Buffer;
}
