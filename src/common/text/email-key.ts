import { isEmail } from 'class-validator';
import { domainToASCII, domainToUnicode } from 'node:url';
import { DOTTED_I, foldText, normalize } from './fold-text.js';

/** The functions of node:url take other ASCII for a port, a path or an escape. */
const DOMAIN = /^[a-z0-9.\-\u0080-\u{10ffff}]+$/u;
/** RFC 5321 section 4.1.2: quotes mean nothing around what needs none. */
const QUOTED = /^"(.*)"$/u;
const DOT_ATOM = /^[^\s"(),:;<>@[\]\\.]+(\.[^\s"(),:;<>@[\]\\.]+)*$/u;

/**
 * Makes the key by which an email address is unique, found at login and counted in budgets: one for all spellings of
 * an address, with its domain in Punycode.
 * @returns null for what is no email address
 */
export function emailKey(email: string): string | null {
  const text = normalize(email);
  const at = text.lastIndexOf('@');
  const key = `${localKey(text.slice(0, Math.max(at, 0)))}@${domainKey(text.slice(at + 1))}`;
  return isEmail(key) ? key : null;
}

/**
 * Makes the key of an account of earlier times whose email address another account has in another spelling: found by
 * this spelling alone. A folded key never begins with a space.
 */
export const exactEmailKey = (email: string) => ` ${email}`;

function localKey(local: string): string {
  const quoted = QUOTED.exec(local)?.[1]?.replace(/\\(.)/gu, '$1');
  return foldText(quoted !== undefined && DOT_ATOM.test(quoted) ? quoted : local);
}

/** Not folded as other text: ß is a letter of its own in a domain's name. Decoded first, as Punycode may have been typed. */
function domainKey(domain: string): string {
  const name = lowerCase(domain.replace(/\.$/, ''));
  return DOMAIN.test(name) ? domainToASCII(lowerCase(normalize(domainToUnicode(name)))) : '';
}

/** Label by label, as a Σ at a label's end is ς. */
function lowerCase(domain: string): string {
  const labels = domain.split(/[.。]/u).map((label) => label.toLowerCase());
  return labels.join('.').replaceAll(DOTTED_I, 'i');
}
