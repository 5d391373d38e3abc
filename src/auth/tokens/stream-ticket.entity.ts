import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';
import { Session } from '../sessions/session.entity.js';

/** A one-time credential for an event stream or a WebSocket. Using it deletes the row. */
@Entity('stream_tickets')
export class StreamTicket {
  /** SHA-256 of the ticket, in hex. */
  @PrimaryColumn({ name: 'token_hash', type: 'varchar', length: 64 })
  tokenHash!: string;

  /** Null once the session has ended. The row is kept, so that the ticket is reported as revoked. */
  @Index('ix_stream_tickets_session_id')
  @Column({ ...ID, name: 'session_id', nullable: true })
  sessionId!: number | null;

  @ManyToOne(() => Session, { onDelete: 'SET NULL' })
  @JoinColumn({ name: 'session_id', foreignKeyConstraintName: 'fk_stream_tickets_session_id' })
  session?: Relation<Session>;

  @Index('ix_stream_tickets_expires_at')
  @Column({ ...TIME, name: 'expires_at' })
  expiresAt!: Date;

  /** Expiry of the access token that requested the ticket; ends the stream. */
  @Column({ ...TIME, name: 'access_expires_at' })
  accessExpiresAt!: Date;
}
