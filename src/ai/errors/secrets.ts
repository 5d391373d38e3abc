const MASK = '***';
/** Maximum length of a key's part that stays visible: providers echo its first and last characters. */
const MAX_SHOWN = 7;
const MIN_KEY_LENGTH = 4;
/** Base64 characters that encode a part of a key longer than `MAX_SHOWN`, at any offset. */
const BASE64_PIECE = 8;
/** One character of an echoed text: percent-encoded (repeatedly), escaped, an HTML entity, or plain. */
const ENCODED_CHARACTER =
  /%(?:25)*([0-9a-f]{2})|\\+u([0-9a-f]{4})|(?:\\+x|\b0x(?=..\b))([0-9a-f]{2})(?:[,\s]+(?=0x))?|(?:\\+u\{|&#x)0*([0-9a-f]{1,6})[;}]|&#0*(\d{1,7});|&(amp|lt|gt|quot|apos|sol|plus|equals|lowbar|hyphen|num);|\\*(.)/gisu;
const ENTITIES: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  sol: '/',
  plus: '+',
  equals: '=',
  lowbar: '_',
  hyphen: '-',
  num: '#',
};
/** Text in the form of a credential, of any owner. */
const CREDENTIAL =
  /\b(Bearer\s+)\S+|\b(Basic\s+)(?=\S*[\d+/=])[\w+/-]{12,}=*|\b((?:sk|pk|rk|gsk|xai|hf|pplx|nvapi)[-_]|AIza)[\w.*-]{4,}/gi;

/** A character, decoded and as written. */
interface Character {
  read: string;
  written: string;
}

/** An encoding of the key, and the characters of a text that may belong to it. */
interface Encoding {
  /** The encoded key. */
  form: string;
  pieceLength: number;
  /** @returns undefined for characters that may separate the key's: white space in base64 */
  normalize: (character: string) => string | undefined;
  /** Characters adjacent to a match that may encode the key too. */
  neighbors?: RegExp;
}

/** Masks keys in a text, their parts of 8 characters or more in any encoding, and other credentials. */
export function maskSecrets(text: string, ...keys: string[]): string {
  return keys.reduce(maskKey, text).replace(CREDENTIAL, (_, ...prefixes: (string | undefined)[]) => {
    return `${prefixes.slice(0, 3).find((prefix) => prefix !== undefined)}${MASK}`;
  });
}

function maskKey(text: string, apiKey: string): string {
  if (apiKey.length < MIN_KEY_LENGTH) return text;
  const characters = charactersOf(text);
  const isSecret = new Array<boolean>(characters.length).fill(false);
  for (const encoding of encodingsOf(apiKey)) markSecret(characters, encoding, isSecret);
  const masked = characters.map(({ written }, index) => {
    if (!isSecret[index]) return written;
    return isSecret[index - 1] ? '' : MASK;
  });
  return masked.join('');
}

function encodingsOf(apiKey: string): Encoding[] {
  const bytes = Buffer.from(apiKey);
  const pieceLength = Math.min(MAX_SHOWN + 1, apiKey.length);
  return [
    { form: apiKey.toLowerCase(), pieceLength, normalize: (character) => character.toLowerCase() },
    {
      form: bytes.toString('hex'),
      pieceLength: 2 * pieceLength,
      normalize: (character) => (/[\s:-]/.test(character) ? undefined : character.toLowerCase()),
      neighbors: /^[0-9a-f]$/i,
    },
    ...[0, 1, 2].map((start) => base64From(bytes, start)),
  ];
}

/** Encodes a key that starts at the first, second or third byte of a base64 group. */
function base64From(key: Buffer, start: number): Encoding {
  const form = key.subarray(start, key.length - ((key.length - start) % 3)).toString('base64');
  return {
    form,
    pieceLength: Math.min(BASE64_PIECE, form.length),
    normalize: (character) =>
      /\s/.test(character) ? undefined : character.replace('-', '+').replace('_', '/'),
    neighbors: /^[\w+/=-]$/,
  };
}

/** Compares substrings by a set, so that one pass suffices for any text and key. */
function markSecret(characters: Character[], encoding: Encoding, isSecret: boolean[]): void {
  const { form, pieceLength, normalize, neighbors } = encoding;
  if (pieceLength < MIN_KEY_LENGTH) return;
  const kept = characters.flatMap(({ read }, index) => {
    const character = normalize(read);
    return character === undefined ? [] : [{ character, index }];
  });
  const secrets = new Set(piecesOf([...form], pieceLength));
  const read = kept.map(({ character }) => character);
  piecesOf(read, pieceLength).forEach((piece, start) => {
    if (secrets.has(piece)) mark(kept[start]!.index, kept[start + pieceLength - 1]!.index);
  });

  function mark(first: number, last: number): void {
    const isPart = (index: number) => neighbors?.test(characters[index]?.read ?? '') && !isSecret[index];
    while (isPart(first - 1)) first--;
    while (isPart(last + 1)) last++;
    isSecret.fill(true, first, last + 1);
  }
}

function piecesOf(characters: string[], length: number): string[] {
  const count = Math.max(0, characters.length - length + 1);
  return Array.from({ length: count }, (_, start) => characters.slice(start, start + length).join(''));
}

function charactersOf(text: string): Character[] {
  return [...text.matchAll(ENCODED_CHARACTER)].map((match) => ({ read: decode(match), written: match[0] }));
}

function decode([, percent, unicode, byte, hex, decimal, entity, character]: RegExpExecArray): string {
  if (character !== undefined) return character;
  if (entity !== undefined) return ENTITIES[entity.toLowerCase()]!;
  const code = decimal === undefined ? parseInt((percent ?? unicode ?? byte ?? hex)!, 16) : Number(decimal);
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}
