/** Characters that nobody can see, with those that fonts leave blank (Braille's empty cell, a note without a head). */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb\u{1d159}\u{13441}\u{13442}]/gu;
const ASCII = /^[\0-\x7f]*$/;

export const isAscii = (text: string) => ASCII.test(text);

/**
 * Makes the key by which text is compared: the same for texts that differ only in case, in how characters are
 * composed, in width, or in what nobody can see. Accents count. For short text: many combining marks in a row are slow.
 */
export function foldText(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  // Back and forth, as ẞ has no upper case but ß has (SS), and ı and i share theirs.
  const lower = normalize(text).toLowerCase().toUpperCase().toLowerCase();
  return lower.replaceAll('ς', 'σ').replaceAll(DOTTED_I, 'i').normalize('NFKC');
}

/** What İ is in lower case. */
export const DOTTED_I = 'i\u0307';

/** One composition and width of each character, and none that nobody can see. */
export const normalize = (text: string) => text.normalize('NFKC').replace(INVISIBLE, '');
