/** Steps before and after the current one whose codes are accepted (RFC 6238 section 5.2). */
export const TOLERANCE_STEPS = 1;

/** Accepts spaces, dashes, full-width digits and any case. */
export function canonicalizeCode(code: string): string {
  return code
    .normalize('NFKC')
    .replace(/[\s\p{Dash}]/gu, '')
    .toLowerCase();
}

export const isTotpCode = (code: string) => /^[0-9]{6}$/.test(code);
