import { describe, expect, it } from '@jest/globals';
import type { ProblemError } from '../common/errors/errors.js';
import * as authErrors from './auth.errors.js';

describe('the challenge of a 401 (RFC 6750 section 3)', () => {
  /** Errors of calls that need no access token. */
  const WITHOUT_TOKEN = [
    'missingToken',
    'wrongCredentials',
    'secondFactorRequired',
    'wrongLoginCode',
    'invalidIdToken',
  ];
  const made = Object.entries(authErrors)
    .map(([name, make]) => [name, (make as (is: boolean) => ProblemError)(true)] as const)
    .filter(([, error]) => error.getStatus() === 401);

  it.each(made)('of %s names an invalid token, or no error if none was sent', (name, { detail, extras }) => {
    const error = WITHOUT_TOKEN.includes(name)
      ? ''
      : `, error="invalid_token", error_description="${detail}"`;
    expect(extras.headers).toEqual({ 'WWW-Authenticate': `Bearer realm="parley"${error}` });
  });

  it('is given in all of them', () => {
    const names = made.map(([name]) => name);
    expect(names).toEqual(expect.arrayContaining(WITHOUT_TOKEN));
    expect(names.length).toBeGreaterThan(WITHOUT_TOKEN.length + 6);
  });
});
