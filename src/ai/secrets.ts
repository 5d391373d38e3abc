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

function maskKey(text: string, apiKey: string): string {
  const window = Math.min(MAX_SHOWN + 1, apiKey.length);
  if (window < 4) return text;
  const written = [...text.matchAll(WRITTEN)];
  const plain = written.map(decode);
  let masked = '';
  for (let i = 0; i < plain.length;) {
    const length = sharedLength(plain, i, apiKey, window);
    masked += length > 0 ? MASK : written[i]![0];
    i += length || 1;
  }
  return masked;
}

/** How many characters from `start` are also found in the key, 0 where it is less than `window`. */
function sharedLength(plain: string[], start: number, apiKey: string, window: number): number {
  let length = window;
  if (start + length > plain.length || !apiKey.includes(plain.slice(start, start + length).join('')))
    return 0;
  while (start + length < plain.length && apiKey.includes(plain.slice(start, start + length + 1).join(''))) {
    length++;
  }
  return length;
}

function decode([, percent, escape, character]: RegExpExecArray): string {
  const code = percent ?? escape;
  return code === undefined ? character! : String.fromCharCode(parseInt(code, 16));
}
