/** Invisible characters, including some that fonts render blank (Braille's empty cell, a note without a head). */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb\u{1d159}\u{13441}\u{13442}]/gu;
const ASCII = /^[\0-\x7f]*$/;

export const isAscii = (text: string) => ASCII.test(text);

/**
 * Returns the key by which text is compared: case, composition, width and invisible characters are ignored, accents are
 * not. For short text: long runs of combining marks are slow.
 */
export function foldText(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  // Three steps: ẞ and ß share their upper case (SS), and so do ı and i.
  const lower = normalize(text).toLowerCase().toUpperCase().toLowerCase();
  return lower.replaceAll('ς', 'σ').replaceAll(DOTTED_I, 'i').normalize('NFKC');
}

/** The lower case of İ. */
export const DOTTED_I = 'i\u0307';

/** Normalizes composition and width, and removes invisible characters. */
export const normalize = (text: string) => text.normalize('NFKC').replace(INVISIBLE, '');
