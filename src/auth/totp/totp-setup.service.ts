import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { transaction } from '../../database/retry.js';
import type { Actor } from '../actor.js';
import { totpActive } from '../auth.errors.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { User } from '../users/user.entity.js';
import { TotpSecret } from './totp-secret.entity.js';
import { TotpSecrets } from './totp-secrets.service.js';
import type { StartTotpDto, TotpSetupDto } from './totp.dto.js';

@Injectable()
export class TotpSetupService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly reauthentication: ReauthenticationService,
    private readonly secrets: TotpSecrets,
  ) {}

  /**
   * Stores a secret that is in use once it is confirmed, in place of an earlier one that was not.
   * @throws {ConflictError} `totp_active`
   */
  async start(actor: Actor, { current_password }: StartTotpDto): Promise<TotpSetupDto> {
    await this.reauthentication.require(actor, current_password);
    const { encryptedSecret, ...setup } = await this.secrets.create(actor.user);
    await transaction(this.dataSource, async (manager) => {
      // Locks the user's row, so that a concurrent confirmation keeps the secret it verified.
      const inactive = { id: actor.userId, secondFactor: false };
      const { affected } = await manager.update(User, inactive, { secondFactor: false });
      if (affected !== 1) throw totpActive();
      await manager.upsert(TotpSecret, { userId: actor.userId, encryptedSecret, usedSteps: '' }, ['userId']);
    });
    return setup;
  }
}
