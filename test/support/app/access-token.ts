import { createHmac } from 'node:crypto';
import type { TestApp } from './app.js';
import type { TestUser, Tokens } from './user.js';

/** The user's access token, signed anew to expire in `secondsLeft`. */
export function tokenWithSecondsLeft(t: TestApp, user: TestUser, secondsLeft: number): string {
  const [header, payload] = user.tokens.access_token.split('.') as [string, string];
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const exp = Math.floor(Date.now() / 1000) + secondsLeft;
  const body = Buffer.from(JSON.stringify({ ...claims, exp })).toString('base64url');
  const signature = createHmac('sha256', t.settings.jwtSecrets[0]!).update(`${header}.${body}`);
  return `${header}.${body}.${signature.digest('base64url')}`;
}

/** The id of the session that an access token belongs to. */
export function sessionIdOf({ access_token }: Tokens): number {
  return JSON.parse(Buffer.from(access_token.split('.')[1]!, 'base64url').toString()).sid;
}
