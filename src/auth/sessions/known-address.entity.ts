import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/**
 * An address that a user has logged in from. Known addresses have their own login budget, so that guessing cannot lock
 * the owner out. Kept after the session has ended.
 */
@Entity('known_addresses')
export class KnownAddress {
  @PrimaryColumn({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_known_addresses_user_id' })
  user?: Relation<User>;

  /** Result of `addressKey`: a /64 for IPv6. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  address!: string;

  @Index('ix_known_addresses_last_login_at')
  @Column({ ...TIME, name: 'last_login_at' })
  lastLoginAt!: Date;
}
