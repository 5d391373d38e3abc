import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { BYTES, ID } from '../../../database/columns.js';
import { SearchSegment } from './search-segment.entity.js';

/** Which messages of a block have a gram of a bucket; there is no row where none has. */
@Entity('search_bits')
export class SearchPosting {
  @PrimaryColumn({ ...ID, name: 'block_id' })
  blockId!: number;

  @ManyToOne(() => SearchSegment, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'block_id', foreignKeyConstraintName: 'fk_search_bits_block_id' })
  block?: Relation<SearchSegment>;

  @PrimaryColumn({ type: 'int' })
  bucket!: number;

  /** Positions in the block: see search-bits.ts. */
  @Column({ ...BYTES })
  bits!: Buffer;
}
