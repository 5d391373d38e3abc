import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { Jwt } from 'jsonwebtoken';
import { SecretOrKeyProvider, Strategy } from 'passport-jwt';
import { AuthService } from './auth.service.js';
import type { Identity } from '../identity.js';
import { VERIFY_OPTIONS } from '../tokens/jwt-options.js';
import { KeyRing } from '../tokens/key-ring.js';
import { bearerTokenOf } from '../tokens/request-tokens.js';
import { TokensService } from '../tokens/tokens.service.js';

/** Verifies the access token of an HTTP request and loads its user and session. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(
    keys: KeyRing,
    private readonly tokens: TokensService,
    private readonly auth: AuthService,
  ) {
    super({
      ...VERIFY_OPTIONS,
      jwtFromRequest: bearerTokenOf,
      secretOrKeyProvider: keyProvider(keys),
      jsonWebTokenOptions: { complete: true },
    });
  }

  validate(token: Jwt): Promise<Identity> {
    return this.auth.identify(this.tokens.claimsOf(token));
  }
}

/** Casts the key, because passport-jwt's types lack KeyObject, which jsonwebtoken accepts. */
function keyProvider(keys: KeyRing): SecretOrKeyProvider {
  return (_request, token: string, done) => done(null, keys.verificationKeyOf(token) as unknown as Buffer);
}
