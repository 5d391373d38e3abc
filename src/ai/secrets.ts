const MASK = '***';
/** How much of a key may be shown at most: providers like to echo its first and last few characters. */
const MAX_SHOWN = 7;
/** A character as it may be written in an echo: percent-encoded, as a JSON escape, or as it is. */
const WRITTEN = /%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\?(.)/gisu;
/** What looks like a credential, whosever it is. */
const CREDENTIAL = /\b(Bearer\s+)\S+|\b((?:sk|pk|rk|gsk|xai)[-_])[\w.*-]{4,}/gi;

/** Masks the key in a text, and any part of it of 8 characters or more, however it is encoded; other credentials too. */
export function maskSecrets(text: string, apiKey: string): string {
  return maskKey(text, apiKey).replace(CREDENTIAL, (_, bearer?: string, prefix?: string) => {
    return `${bearer ?? prefix}${MASK}`;
  });
}

/** Every piece is looked up among the key's own, so that no text and no key makes this take more than one pass. */
function maskKey(text: string, apiKey: string): string {
  const key = [...apiKey];
  const length = Math.min(MAX_SHOWN + 1, key.length);
  if (length < 4) return text;
  const written = [...text.matchAll(WRITTEN)];
  const pieces = new Set(piecesOf(key, length));
  const isSecret = new Array<boolean>(written.length).fill(false);
  piecesOf(written.map(decode), length).forEach((piece, start) => {
    if (pieces.has(piece)) isSecret.fill(true, start, start + length);
  });
  return written
    .map(([shown], index) => (isSecret[index] ? (isSecret[index - 1] ? '' : MASK) : shown))
    .join('');
}

function piecesOf(characters: string[], length: number): string[] {
  const count = Math.max(0, characters.length - length + 1);
  return Array.from({ length: count }, (_, start) => characters.slice(start, start + length).join(''));
}

function decode([, percent, escape, character]: RegExpExecArray): string {
  const code = percent ?? escape;
  return code === undefined ? character! : String.fromCharCode(parseInt(code, 16));
}
