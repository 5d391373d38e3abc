import { type JwtModuleOptions, JwtSecretRequestType } from '@nestjs/jwt';
import type { SignOptions, VerifyOptions } from 'jsonwebtoken';
import { ACCESS_TOKEN_SECONDS } from '../sessions/token-lifetimes.js';
import type { KeyRing } from './key-ring.js';

/** RFC 9068: the type `at+jwt` keeps other JWTs from passing as access tokens. */
const SIGN_OPTIONS: SignOptions = {
  algorithm: 'HS256',
  header: { alg: 'HS256', typ: 'at+jwt' },
  issuer: 'parley',
  audience: 'parley',
  expiresIn: ACCESS_TOKEN_SECONDS,
};

/** RFC 8725 section 3.1: the algorithm is fixed, and the token's header cannot choose another. */
export const VERIFY_OPTIONS = {
  algorithms: ['HS256'],
  issuer: 'parley',
  audience: 'parley',
} satisfies VerifyOptions;

export function jwtOptions(keys: KeyRing): JwtModuleOptions {
  return {
    secretOrKeyProvider: (request, token) =>
      request === JwtSecretRequestType.SIGN ? keys.signingKey : keys.verificationKeyOf(String(token)),
    signOptions: SIGN_OPTIONS,
    verifyOptions: { ...VERIFY_OPTIONS, complete: true },
  };
}
