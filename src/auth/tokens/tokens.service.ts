import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import type { Jwt } from 'jsonwebtoken';
import { randomUUID } from 'node:crypto';
import { expiredToken, invalidToken } from '../auth.errors.js';
import type { AccessClaims } from '../identity.js';
import type { SessionGrant } from '../sessions/sessions.service.js';
import { TokenPairDto } from './token-pair.dto.js';

/** Access tokens: JWTs that are valid for an hour and name a user and a session. */
@Injectable()
export class TokensService {
  constructor(private readonly jwt: JwtService) {}

  sign(userId: number, sessionId: number): string {
    return this.jwt.sign({ sid: sessionId }, { subject: String(userId), jwtid: randomUUID() });
  }

  createPair({ userId, sessionId, refreshToken }: SessionGrant): TokenPairDto {
    return TokenPairDto.from(this.sign(userId, sessionId), refreshToken);
  }

  /** @throws {UnauthenticatedError} `unauthenticated`, `token_expired` */
  verify(token: string): AccessClaims {
    let verified: Jwt;
    try {
      // jwt-options.ts sets `complete`, with which `verify` returns the header too.
      verified = this.jwt.verify(token) as unknown as Jwt;
    } catch (error) {
      throw tokenError(error);
    }
    return this.claimsOf(verified);
  }

  /**
   * Checks a verified token's type and claims.
   * @throws {UnauthenticatedError} `unauthenticated`
   */
  claimsOf({ header, payload }: Jwt): AccessClaims {
    if (typeof payload === 'string' || payload.exp === undefined) throw invalidToken();
    if (!isAccessTokenType(header.typ) || 'crit' in header) throw invalidToken();
    const userId = Number(payload.sub);
    const sessionId = Number(payload.sid);
    if (!Number.isSafeInteger(userId) || !Number.isSafeInteger(sessionId)) throw invalidToken();
    return { userId, sessionId, expiresAt: payload.exp * 1000 };
  }
}

/** Converts an error of jsonwebtoken. */
export function tokenError(error: unknown): Error {
  return error instanceof Error && error.name === 'TokenExpiredError' ? expiredToken() : invalidToken();
}

/** RFC 7515 section 4.1.9: the prefix `application/` is optional; media types are case-insensitive. */
function isAccessTokenType(type: unknown): boolean {
  return typeof type === 'string' && /^(application\/)?at\+jwt$/i.test(type);
}
