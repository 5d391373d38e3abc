import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { ID, TIME } from '../../database/columns.js';

/** A code that lets one person create an account. */
@Entity('invitations')
export class Invitation {
  @PrimaryColumn({ ...ID, generated: 'increment' })
  id!: number;

  /** SHA-256 of the code, in hex. */
  @Index('uq_invitations_code_hash', { unique: true })
  @Column({ name: 'code_hash', type: 'varchar', length: 64 })
  codeHash!: string;

  /** The address that the code was mailed to. */
  @Column({ type: 'varchar', length: 255, nullable: true })
  email!: string | null;

  @Column({ ...TIME, name: 'expires_at' })
  expiresAt!: Date;

  /** The user who registered with the code. No foreign key: a used code stays used after the account is deleted. */
  @Column({ ...ID, name: 'used_by', nullable: true })
  usedBy!: number | null;

  @Column({ ...TIME, name: 'created_at' })
  createdAt!: Date;
}
