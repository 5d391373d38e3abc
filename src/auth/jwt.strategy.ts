import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { Jwt } from 'jsonwebtoken';
import { SecretOrKeyProvider, Strategy } from 'passport-jwt';
import { AuthService } from './auth.service.js';
import { bearerTokenOf } from './tokens/request-tokens.js';
import type { Identity } from './identity.decorator.js';
import { TokensService, VERIFY_OPTIONS } from './tokens/tokens.service.js';

/** Reads the access token of an HTTP request. What makes one valid is TokensService's and AuthService's to say. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(
    private readonly tokens: TokensService,
    private readonly auth: AuthService,
  ) {
    super({
      ...VERIFY_OPTIONS,
      jwtFromRequest: bearerTokenOf,
      secretOrKeyProvider: keyProvider(tokens),
      jsonWebTokenOptions: { complete: true },
    });
  }

  validate(token: Jwt): Promise<Identity> {
    return this.auth.identify(this.tokens.claimsOf(token));
  }
}

/** passport-jwt's types know no KeyObject; jsonwebtoken, to which it hands the key on, does. */
function keyProvider(tokens: TokensService): SecretOrKeyProvider {
  return (_request, token: string, done) => done(null, tokens.verificationKeyOf(token) as unknown as Buffer);
}
