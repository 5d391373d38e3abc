import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, JSON_TEXT, TIME } from '../database/columns.js';

/** Ids, numbers and fixed words; nothing that people typed. */
export type AuditDetails = Record<string, string | number | boolean | undefined>;

/** An event of the audit trail. Refers to no other table: events outlive users and sessions. */
@Entity('audit_events')
export class AuditEvent {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  @Index('ix_audit_events_at')
  @Column({ ...TIME })
  at!: Date;

  @Index('ix_audit_events_action')
  @Column({ type: 'varchar', length: 64 })
  action!: string;

  /** The acting user. Null for an unknown one, and for the command line. */
  @Index('ix_audit_events_user_id')
  @Column({ ...ID, name: 'user_id', nullable: true })
  userId!: number | null;

  @Index('ix_audit_events_target_user_id')
  @Column({ ...ID, name: 'target_user_id', nullable: true })
  targetUserId!: number | null;

  @Column({ ...ID, name: 'session_id', nullable: true })
  sessionId!: number | null;

  @Column({ type: 'varchar', length: 45, nullable: true })
  address!: string | null;

  @Column({ ...JSON_TEXT, nullable: true })
  details!: AuditDetails | null;
}
