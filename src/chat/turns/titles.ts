import { isVisible, stripBidiControls } from '../../common/text/visible-text.js';

const WORDS_LENGTH = 60;

/**
 * The first words of a first message, for as long as no better title is known: 1–60 characters and an ellipsis; null
 * where nothing of it can be seen.
 */
export function titleFromText(text: string): string | null {
  const line = oneLine(text);
  const cut = beginningOf(line, WORDS_LENGTH);
  if (cut === line) return visibleOrNull(line);
  const lastSpace = cut.lastIndexOf(' ');
  return visibleOrNull(lastSpace > WORDS_LENGTH / 2 ? cut.slice(0, lastSpace) : cut, '…');
}

/** Without what would break the line, or show it in another order. */
export function oneLine(text: string): string {
  return stripBidiControls(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
}

/** At most so many code points, but whole characters as people see them: an emoji, a letter with its accents. */
function beginningOf(text: string, most: number): string {
  let beginning = '';
  let count = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    count += [...segment].length;
    if (count > most) break;
    beginning += segment;
  }
  return beginning;
}

const visibleOrNull = (text: string, ending = '') => (isVisible(text) ? text + ending : null);

/** Asks for a title in the conversation's own language. */
export const TITLE_PROMPT =
  'Write a title for the conversation below: at most six words, in the language of the conversation, ' +
  'without quotes or a full stop. Answer with the title alone.';
