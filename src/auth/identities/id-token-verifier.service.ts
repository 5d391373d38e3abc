import { Injectable, Logger } from '@nestjs/common';
import type { JWTPayload } from 'jose';
import { textError } from '../../common/validation/text.decorator.js';
import { Settings } from '../../env/settings.js';
import { identityProviderUnavailable, invalidIdToken } from '../auth.errors.js';
import { IssuerKeys, IssuerUnavailableError } from './issuer-keys.service.js';

const MAX_AGE_SECONDS = 10 * 60;
const CLOCK_SKEW_SECONDS = 60;
const MAX_SUBJECT_LENGTH = 255;

export type IdTokenClaims = JWTPayload & { iss: string; sub: string };

/**
 * Verifies ID tokens of the issuers in OIDC_PROVIDERS (OpenID Connect Core 1.0 section 3.1.3.7). Loads jose at first
 * use.
 */
@Injectable()
export class IdTokenVerifier {
  private readonly logger = new Logger('Identities');

  constructor(
    private readonly settings: Settings,
    private readonly keys: IssuerKeys,
  ) {}

  /**
   * @throws {UnauthenticatedError} `invalid_id_token`
   * @throws {UnavailableError} `identity_provider_unavailable`
   */
  async verify(token: string): Promise<IdTokenClaims> {
    try {
      return await this.verifyOrThrow(token);
    } catch (error) {
      if (error instanceof IssuerUnavailableError) {
        this.logger.warn({ error: error.message }, 'An identity provider is unavailable');
        throw identityProviderUnavailable();
      }
      this.logger.log({ error: String(error) }, 'Refused an ID token');
      throw invalidIdToken();
    }
  }

  private async verifyOrThrow(token: string): Promise<IdTokenClaims> {
    const { decodeJwt, jwtVerify } = await import('jose');
    const issuer = decodeJwt(token).iss ?? '';
    const audience = this.audiencesOf(issuer);
    if (audience.length === 0) throw new Error('unknown issuer');
    const { payload, protectedHeader } = await jwtVerify(token, this.keys.of(issuer), {
      issuer,
      audience,
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      clockTolerance: CLOCK_SKEW_SECONDS,
      maxTokenAge: MAX_AGE_SECONDS,
      requiredClaims: ['sub', 'exp', 'iat'],
    });
    // RFC 9068 and others: tokens of another type are not ID tokens.
    if (!/^(JWT)?$/i.test(protectedHeader.typ ?? '')) throw new Error('unexpected typ');
    assertAuthorizedParty(payload, audience);
    const error = textError(payload.sub, { min: 1, max: MAX_SUBJECT_LENGTH });
    if (error) throw new Error('unusable sub');
    return payload as IdTokenClaims;
  }

  private audiencesOf(issuer: string): string[] {
    return this.settings.oidcProviders.filter((one) => one.issuer === issuer).map(({ audience }) => audience);
  }
}

/** A token for several audiences must have been issued to one that is configured. */
function assertAuthorizedParty({ aud, azp }: JWTPayload, audience: string[]): void {
  if (!Array.isArray(aud) || aud.length < 2) return;
  if (typeof azp !== 'string' || !audience.includes(azp)) throw new Error('another authorized party');
}
