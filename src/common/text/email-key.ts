import { isEmail } from 'class-validator';
import { domainToASCII, domainToUnicode } from 'node:url';
import { DOTTED_I, foldText, normalize } from './fold-text.js';

const MAX_LENGTH = 255;
/** Other ASCII would be parsed by node:url as a port, a path or an escape. */
const DOMAIN = /^[a-z0-9.\-\u0080-\u{10ffff}]+$/u;
/** Invalid Punycode, which Node 20 decodes to '' and later versions leave as it is. */
const UNDECODED = /(^|\.)xn--/;
/** Quotes around text that needs none are redundant (RFC 5321 section 4.1.2). */
const QUOTED = /^"(.*)"$/u;
const DOT_ATOM = /^[^\s"(),:;<>@[\]\\.]+(\.[^\s"(),:;<>@[\]\\.]+)*$/u;

/**
 * Returns the canonical key of an email address, the same for all its spellings, with the domain in Punycode. Used for
 * uniqueness, login and budgets.
 * @returns null for an invalid address
 */
export function emailKey(email: string): string | null {
  const text = normalize(email);
  const at = text.lastIndexOf('@');
  const local = localKey(text.slice(0, Math.max(at, 0)));
  const domain = domainKey(text.slice(at + 1));
  // Each part for itself, because `isEmail` accepts 254 characters in all.
  const isValid = isEmail(`${local}@example.com`) && isEmail(`a@${domain}`);
  const key = `${local}@${domain}`;
  return isValid && key.length <= MAX_LENGTH ? key : null;
}

/**
 * Returns the key of an old account whose address exists in another spelling too: matches this spelling only. Canonical
 * keys never begin with a space.
 */
const exactEmailKey = (email: string) => ` ${email}`;

/**
 * Returns the keys that an account with this address can have, the exact one first. On Node 22 and later, the migration to
 * keys took invalid Punycode, which has no key, as its own.
 */
export const keysOf = (email: string): [exact: string, canonical: string] => [
  exactEmailKey(email),
  emailKey(email) ?? email,
];

function localKey(local: string): string {
  const quoted = QUOTED.exec(local)?.[1]?.replace(/\\(.)/gu, '$1');
  return foldText(quoted !== undefined && DOT_ATOM.test(quoted) ? quoted : local);
}

/** Not case-folded, because ß is distinct in domain names. Decoded first, because Punycode may have been typed. */
function domainKey(domain: string): string {
  const name = lowerCase(domain.replace(/\.$/, ''));
  const unicode = DOMAIN.test(name) ? domainToUnicode(name) : '';
  return UNDECODED.test(unicode) ? '' : domainToASCII(lowerCase(normalize(unicode)));
}

/** By label, because a Σ at a label's end becomes ς. */
function lowerCase(domain: string): string {
  const labels = domain.split(/[.。]/u).map((label) => label.toLowerCase());
  return labels.join('.').replaceAll(DOTTED_I, 'i');
}
