import { Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { ID } from '../../database/columns.js';
import { User } from '../users/user.entity.js';

/** The secret that a user shares with an authenticator app. In use once `User.secondFactor` is set. */
@Entity('totp_secrets')
export class TotpSecret {
  @PrimaryColumn({ ...ID, name: 'user_id' })
  userId!: number;

  @OneToOne(() => User, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'user_id', foreignKeyConstraintName: 'fk_totp_secrets_user_id' })
  user?: Relation<User>;

  /** Base32 in a Fernet token. */
  @Column({ name: 'encrypted_secret', type: 'varchar', length: 255 })
  encryptedSecret!: string;

  /** Time steps whose codes were used, separated by spaces. Steps that no clock accepts any more are left out. */
  @Column({ name: 'used_steps', type: 'varchar', length: 64, default: '' })
  usedSteps!: string;
}
