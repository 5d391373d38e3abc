import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { Session } from './session.entity.js';

/** A refresh token of a session. Each refresh uses one and creates its successor. */
@Entity('refresh_tokens')
export class RefreshToken {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_refresh_tokens_session_id')
  @Column({ ...ID, name: 'session_id' })
  sessionId!: number;

  @ManyToOne(() => Session, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'session_id', foreignKeyConstraintName: 'fk_refresh_tokens_session_id' })
  session?: Relation<Session>;

  /** SHA-256 of the token, in hex. */
  @Index('uq_refresh_tokens_token_hash', { unique: true })
  @Column({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash!: string;

  @Index('ix_refresh_tokens_expires_at')
  @Column({ ...TIME, name: 'expires_at' })
  expiresAt!: Date;

  /** Null until it is used. */
  @Column({ ...TIME, name: 'used_at', nullable: true })
  usedAt!: Date | null;

  /**
   * The successor, encrypted under a key derived from this token, so that a client that lost the response can get the
   * same successor again and the database alone reveals nothing. Cleared once the successor is used.
   */
  @Column({ name: 'sealed_successor', type: 'varchar', length: 255, nullable: true })
  sealedSuccessor!: string | null;
}
