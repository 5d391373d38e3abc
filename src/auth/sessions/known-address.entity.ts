import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/**
 * Where a user has logged in from. It outlives the session, so that whoever guesses at an account cannot lock its
 * owner out, who comes back from a place of theirs after logging out.
 */
@Entity('known_addresses')
export class KnownAddress {
  @PrimaryColumn({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_known_addresses_user_id' })
  user?: Relation<User>;

  /** As `addressKey` gives it: for IPv6, a /64. */
  @PrimaryColumn({ type: 'varchar', length: 64 })
  address!: string;

  @Index('ix_known_addresses_last_login_at')
  @Column({ ...TIME, name: 'last_login_at' })
  lastLoginAt!: Date;
}
