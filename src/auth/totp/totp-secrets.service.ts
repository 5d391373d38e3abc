import { Injectable, Logger } from '@nestjs/common';
import { EncryptionService, UnreadableTokenError } from '../../encryption/encryption.service.js';
import { Settings } from '../../env/settings.js';
import type { User } from '../users/user.entity.js';
import type { TotpSecret } from './totp-secret.entity.js';
import type { TotpSetupDto } from './totp.dto.js';
import { isTotpCode } from './totp-code.js';

/** Makes the secrets of authenticator apps, and reads stored ones. */
@Injectable()
export class TotpSecrets {
  private readonly logger = new Logger('Totp');
  private readonly issuer: string;

  constructor(
    private readonly encryption: EncryptionService,
    { publicUrl }: Settings,
  ) {
    this.issuer = publicUrl ? new URL(publicUrl).hostname : 'Parley';
  }

  async create(user: User): Promise<TotpSetupDto & { encryptedSecret: string }> {
    const { newTotpSecret, otpauthUrl } = await import('./totp.js');
    const secret = newTotpSecret();
    const encryptedSecret = this.encryption.encrypt(secret);
    return {
      secret,
      otpauth_url: otpauthUrl(secret, this.issuer, user.email ?? user.username),
      encryptedSecret,
    };
  }

  /**
   * Finds the time step of a code, whether or not it was used.
   * @returns null for a wrong code, and for any code if the secret cannot be decrypted
   */
  async findStep({ userId, encryptedSecret }: TotpSecret, code: string): Promise<number | null> {
    if (!isTotpCode(code)) return null;
    const { findStep } = await import('./totp.js');
    try {
      return findStep(this.encryption.decrypt(encryptedSecret), code);
    } catch (error) {
      if (!(error instanceof UnreadableTokenError)) throw error;
      this.logger.error({ user_id: userId }, 'TOTP secret cannot be decrypted by any of ENCRYPTION_KEYS');
      return null;
    }
  }
}
