const MAX_CHARACTERS = 255;
const MAX_EXTENSION = 20;
/** Controls, line separators and characters that change the direction of text. */
const HIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** Removes folders and misleading characters from the name of an upload. */
export function cleanFileName(name = ''): string {
  const [last = ''] = name.toWellFormed().replace(HIDDEN, '').split(/[/\\]/).slice(-1);
  const trimmed = last.trim();
  return /^\.*$/.test(trimmed) ? 'file' : shorten(trimmed);
}

/** Keeps the extension. */
function shorten(name: string): string {
  const characters = [...name];
  if (characters.length <= MAX_CHARACTERS) return name;
  const dot = characters.lastIndexOf('.');
  const extension = characters.length - dot > MAX_EXTENSION || dot < 1 ? [] : characters.slice(dot);
  return [...characters.slice(0, MAX_CHARACTERS - extension.length), ...extension].join('');
}
