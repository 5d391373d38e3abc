import { Injectable } from '@nestjs/common';
import { JwtSecretRequestType, JwtService } from '@nestjs/jwt';
import type { Jwt, SignOptions, VerifyOptions } from 'jsonwebtoken';
import { KeyObject, randomUUID } from 'node:crypto';
import { Settings } from '../../env/settings.js';
import { expiredToken, invalidToken } from '../auth.errors.js';
import type { AccessClaims } from '../identity.decorator.js';
import { KeyRing } from './key-ring.js';
import type { SessionGrant } from '../sessions/sessions.service.js';
import { ACCESS_TOKEN_SECONDS } from '../sessions/token-lifetimes.js';
import { TokenPairDto } from './token-pair.dto.js';

/** RFC 9068: the header's type keeps other tokens of ours from passing as access tokens. */
const SIGN_OPTIONS: SignOptions = {
  algorithm: 'HS256',
  header: { alg: 'HS256', typ: 'at+jwt' },
  issuer: 'parley',
  audience: 'parley',
  expiresIn: ACCESS_TOKEN_SECONDS,
};

/** RFC 8725: one algorithm, whatever the token's header names. */
export const VERIFY_OPTIONS = {
  algorithms: ['HS256'],
  issuer: 'parley',
  audience: 'parley',
} satisfies VerifyOptions;

/** Access tokens: JWTs that live an hour and name a user and a session. */
@Injectable()
export class TokensService {
  private readonly keys: KeyRing;
  private readonly jwt: JwtService;

  constructor(settings: Settings) {
    const keys = new KeyRing(settings.jwtSecrets);
    this.keys = keys;
    this.jwt = new JwtService({
      secretOrKeyProvider: (use, token) =>
        use === JwtSecretRequestType.SIGN ? keys.signingKey : keys.verificationKeyOf(String(token)),
      signOptions: SIGN_OPTIONS,
      verifyOptions: { ...VERIFY_OPTIONS, complete: true },
    });
  }

  sign(userId: number, sessionId: number): string {
    return this.jwt.sign({ sid: sessionId }, { subject: String(userId), jwtid: randomUUID() });
  }

  createPair({ userId, sessionId, refreshToken }: SessionGrant): TokenPairDto {
    return TokenPairDto.from(this.sign(userId, sessionId), refreshToken);
  }

  /** @throws {UnauthenticatedError} */
  verify(token: string): AccessClaims {
    let verified: Jwt;
    try {
      // With `complete`, the answer has the header too.
      verified = this.jwt.verify(token) as unknown as Jwt;
    } catch (error) {
      throw tokenError(error);
    }
    return this.claimsOf(verified);
  }

  /** What of a token remains to be checked once its signature, time, issuer and audience are. */
  claimsOf({ header, payload }: Jwt): AccessClaims {
    if (typeof payload === 'string' || payload.exp === undefined) throw invalidToken();
    if (!isAccessTokenType(header.typ) || 'crit' in header) throw invalidToken();
    const userId = Number(payload.sub);
    const sessionId = Number(payload.sid);
    if (!Number.isSafeInteger(userId) || !Number.isSafeInteger(sessionId)) throw invalidToken();
    return { userId, sessionId, expiresAt: payload.exp * 1000 };
  }

  /** The key to verify a token with. */
  verificationKeyOf(token: string): KeyObject {
    return this.keys.verificationKeyOf(token);
  }
}

/** The failure that jsonwebtoken's stands for. */
export function tokenError(error: unknown): Error {
  return error instanceof Error && error.name === 'TokenExpiredError' ? expiredToken() : invalidToken();
}

/** RFC 7515 section 4.1.9: `application/` may be left out; media types know no case. */
function isAccessTokenType(type: unknown): boolean {
  return typeof type === 'string' && /^(application\/)?at\+jwt$/i.test(type);
}
