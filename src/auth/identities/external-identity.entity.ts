import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/** An account at an OpenID provider that signs a user in. */
@Entity('external_identities')
export class ExternalIdentity {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_external_identities_user_id')
  @Column({ ...ID, name: 'user_id' })
  userId!: number;

  @ManyToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_external_identities_user_id' })
  user?: Relation<User>;

  /** SHA-256 of issuer and subject, in hex: both together are too long for a key. */
  @Index('uq_external_identities_identity_key', { unique: true })
  @Column({ name: 'identity_key', type: 'varchar', length: 64 })
  identityKey!: string;

  /** The ID token's `iss`. */
  @Column({ type: 'varchar', length: 255 })
  issuer!: string;

  /** The ID token's `sub`. */
  @Column({ type: 'varchar', length: 255 })
  subject!: string;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
