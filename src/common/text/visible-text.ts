/** Blanks, control characters, and marks without a base letter. */
const NOTHING =
  '\\p{White_Space}\\p{Z}\\p{Cc}\\p{Cf}\\p{M}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}' +
  '\\u2800\\u{1d159}\\u{13441}\\u{13442}';
const VISIBLE = new RegExp(`[^${NOTHING}]`, 'u');
/** Embeddings, overrides and isolates, which reorder text after them, also outside of the field. */
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Whether text has a visible character. */
export const isVisible = (text: string) => VISIBLE.test(text);

/** Keeps the harmless marks LRM, RLM and ALM. */
export const stripBidiControls = (text: string) => text.replace(BIDI_CONTROLS, '');

const BLANK = /[\s\p{Cf}]/u;

/** Removes white space and format characters around a text, in linear time. */
export function trimInvisible(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANK.test(text[start]!)) start++;
  while (start < end && BLANK.test(text[end - 1]!)) end--;
  return text.slice(start, end);
}
