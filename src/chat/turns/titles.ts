import { isVisible, stripBidiControls } from '../../common/text/visible-text.js';

const MAX_LENGTH = 60;

/**
 * Makes a provisional title from the start of the first message: 1–60 characters, and an ellipsis if it was cut. Null if
 * it has no visible character.
 */
export function titleFromText(text: string): string | null {
  const line = oneLine(text);
  const cut = startOf(line, MAX_LENGTH);
  if (cut === line) return visibleOrNull(line);
  const lastSpace = cut.lastIndexOf(' ');
  return visibleOrNull(lastSpace > MAX_LENGTH / 2 ? cut.slice(0, lastSpace) : cut, '…');
}

/** Replaces line breaks and control characters by spaces, and removes bidirectional controls. */
export function oneLine(text: string): string {
  return stripBidiControls(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
}

/** At most this many code points, without splitting a grapheme (an emoji, a letter with its accents). */
function startOf(text: string, maxCodePoints: number): string {
  let start = '';
  let count = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    count += [...segment].length;
    if (count > maxCodePoints) break;
    start += segment;
  }
  return start;
}

const visibleOrNull = (text: string, ending = '') => (isVisible(text) ? text + ending : null);
