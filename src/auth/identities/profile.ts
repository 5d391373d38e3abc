import { randomBytes } from 'node:crypto';
import { emailKey } from '../../common/text/email-key.js';
import { isVisible, stripBidiControls } from '../../common/text/visible-text.js';
import type { IdTokenClaims } from './id-token-verifier.service.js';

const MIN_LENGTH = 3;
const MAX_LENGTH = 50;
const FALLBACK = 'user';

/** A username from `preferred_username` or `name`, within the rules of `IsUsername`. */
export function usernameOf({ preferred_username, name }: IdTokenClaims): string {
  return [preferred_username, name].map(toUsername).find((username) => username !== null) ?? FALLBACK;
}

/** Another username that begins alike, for one that is taken. */
export function alternativeTo(username: string): string {
  const suffix = `-${randomBytes(4).toString('hex')}`;
  return cut(username, MAX_LENGTH - suffix.length).trim() + suffix;
}

/** The address if the provider vouches for it, in the form of `IsEmailAddress`. */
export function verifiedEmailOf({ email, email_verified }: IdTokenClaims): string | null {
  if (email_verified !== true || typeof email !== 'string') return null;
  const address = stripBidiControls(email).trim().toLowerCase();
  return [...address].length <= 255 && emailKey(address) !== null ? address : null;
}

function toUsername(claim: unknown): string | null {
  if (typeof claim !== 'string') return null;
  const clean = stripBidiControls(claim.toWellFormed()).replace(
    /[\p{Control}\p{Line_Separator}\p{Paragraph_Separator}]/gu,
    '',
  );
  const username = cut(clean.trim(), MAX_LENGTH).trim();
  return [...username].length >= MIN_LENGTH && isVisible(username) ? username : null;
}

const cut = (text: string, length: number) => [...text].slice(0, length).join('');
