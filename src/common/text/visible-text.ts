/** What can be seen has a character beside these: blanks, controls, and marks without a letter that they belong to. */
const NOTHING =
  '\\p{White_Space}\\p{Z}\\p{Cc}\\p{Cf}\\p{M}\\p{Default_Ignorable_Code_Point}\\p{Noncharacter_Code_Point}' +
  '\\u2800\\u{1d159}\\u{13441}\\u{13442}';
const VISIBLE = new RegExp(`[^${NOTHING}]`, 'u');
/** Embeddings, overrides and isolates: text after them, outside of the field too, may be shown in another order. */
const BIDI_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** Whether text shows as anything at all. */
export const isVisible = (text: string) => VISIBLE.test(text);

/** Keeps the marks (LRM, RLM, ALM), which do no harm. */
export const stripBidiControls = (text: string) => text.replace(BIDI_CONTROLS, '');

const BLANK = /[\s\p{Cf}]/u;

/** Removes white space and format characters around a text, in linear time. */
export function trimInvisible(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && BLANK.test(text[start]!)) start++;
  while (start < end && BLANK.test(text[end - 1]!)) end--;
  return text.slice(start, end);
}
