import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { User } from '../../../auth/users/user.entity.js';
import { BYTES, ID, TIME } from '../../../database/columns.js';

/** A user's messages from the first id to the last, indexed by SearchPosting rows once it is ready. */
@Entity('search_blocks')
@Index('uq_search_blocks_first_message_id', ['userId', 'firstMessageId'], { unique: true })
export class SearchSegment {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_search_blocks_user_id' })
  user?: Relation<User>;

  /** First id after the previous segment; need not be a message's. Unique, so that only one node can claim it. */
  @Column({ ...ID, name: 'first_message_id' })
  firstMessageId!: number;

  /** Undefined until ready. */
  @Column({ ...ID, name: 'last_message_id' })
  lastMessageId!: number;

  @Column({ name: 'message_count', type: 'int' })
  messageCount!: number;

  /** False while a node builds or deletes it. */
  @Column({ type: 'boolean' })
  ready!: boolean;

  /** Contains deleted messages and has to be rebuilt. It still filters correctly. */
  @Column({ name: 'stale', type: 'boolean' })
  tombstoned!: boolean;

  /** Start of the build; the epoch once abandoned. */
  @Column({ ...TIME, name: 'claimed_at' })
  claimedAt!: Date;

  /** Packed by packAscending. */
  @Column({ ...BYTES, name: 'message_ids' })
  messageIds!: Buffer;

  /** INDEX_VERSION of the node that built it. */
  @Column({ type: 'int', default: 0 })
  version!: number;
}
