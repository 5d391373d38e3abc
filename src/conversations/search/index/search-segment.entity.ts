import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { User } from '../../../auth/users/user.entity.js';
import { BYTES, ID, TIME } from '../../../database/columns.js';

/** All of a user's messages with ids from the first to the last, whose words search_bits tells once it is ready. */
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

  /** Where it begins, which need not be a message: just after the segment before. Two nodes cannot begin the same. */
  @Column({ ...ID, name: 'first_message_id' })
  firstMessageId!: number;

  /** Means nothing until it is ready. */
  @Column({ ...ID, name: 'last_message_id' })
  lastMessageId!: number;

  @Column({ name: 'message_count', type: 'int' })
  messageCount!: number;

  /** False while it is made or taken down, by whoever set `claimedAt`. */
  @Column({ type: 'boolean' })
  ready!: boolean;

  /** Whether it tells of messages that have been deleted, and is to be made anew. It still finds the others. */
  @Column({ name: 'stale', type: 'boolean' })
  tombstoned!: boolean;

  @Column({ ...TIME, name: 'claimed_at' })
  claimedAt!: Date;

  /** See `packAscending`. */
  @Column({ ...BYTES, name: 'message_ids' })
  messageIds!: Buffer;

  /** The INDEX_VERSION of the node that made it. */
  @Column({ type: 'int', default: 0 })
  version!: number;
}
