const MASK = '***';
/** How much of a key may be shown at most: providers like to echo its first and last few characters. */
const MAX_SHOWN = 7;
const MIN_KEY_LENGTH = 4;
/** Characters of base64 that stand for part of a key of more than `MAX_SHOWN`, wherever it begins. */
const BASE64_PIECE = 8;
/** A character as it may be written in an echo: percent-encoded (again), as an escape, as an HTML entity, or as it is. */
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
/** What looks like a credential, whosever it is. */
const CREDENTIAL =
  /\b(Bearer\s+)\S+|\b(Basic\s+)(?=\S*[\d+/=])[\w+/-]{12,}=*|\b((?:sk|pk|rk|gsk|xai|hf|pplx|nvapi)[-_]|AIza)[\w.*-]{4,}/gi;

/** A text character by character, as it reads and as it is written. */
interface Character {
  read: string;
  written: string;
}

/** One way to write a key, and what of a text may be part of it. */
interface Encoding {
  /** The key so written. */
  form: string;
  pieceLength: number;
  /** @returns undefined for a character that may stand between the key's: white space in base64 */
  normalise: (character: string) => string | undefined;
  /** Characters next to a piece that may be made of the key too. */
  neighbours?: RegExp;
}

/** Masks the key in a text, and any part of it of 8 characters or more, however it is encoded; other credentials too. */
export function maskSecrets(text: string, apiKey: string): string {
  return maskKey(text, apiKey).replace(CREDENTIAL, (_, ...prefixes: (string | undefined)[]) => {
    return `${prefixes.slice(0, 3).find((prefix) => prefix !== undefined)}${MASK}`;
  });
}

function maskKey(text: string, apiKey: string): string {
  if (apiKey.length < MIN_KEY_LENGTH) return text;
  const characters = charactersOf(text);
  const isSecret = new Array<boolean>(characters.length).fill(false);
  for (const encoding of encodingsOf(apiKey)) markSecret(characters, encoding, isSecret);
  return characters
    .map(({ written }, index) => (isSecret[index] ? (isSecret[index - 1] ? '' : MASK) : written))
    .join('');
}

function encodingsOf(apiKey: string): Encoding[] {
  const bytes = Buffer.from(apiKey);
  const pieceLength = Math.min(MAX_SHOWN + 1, apiKey.length);
  return [
    { form: apiKey.toLowerCase(), pieceLength, normalise: (character) => character.toLowerCase() },
    {
      form: bytes.toString('hex'),
      pieceLength: 2 * pieceLength,
      normalise: (character) => (/[\s:-]/.test(character) ? undefined : character.toLowerCase()),
      neighbours: /^[0-9a-f]$/i,
    },
    ...[0, 1, 2].map((start) => base64From(bytes, start)),
  ];
}

/** Base64 reads three bytes at a time: a key in a longer text is read from its first, second or third byte. */
function base64From(key: Buffer, start: number): Encoding {
  const form = key.subarray(start, key.length - ((key.length - start) % 3)).toString('base64');
  return {
    form,
    pieceLength: Math.min(BASE64_PIECE, form.length),
    normalise: (character) =>
      /\s/.test(character) ? undefined : character.replace('-', '+').replace('_', '/'),
    neighbours: /^[\w+/=-]$/,
  };
}

/** Looks every piece up among the key's own, so that no text and no key makes this take more than one pass. */
function markSecret(characters: Character[], encoding: Encoding, isSecret: boolean[]): void {
  const { form, pieceLength, normalise, neighbours } = encoding;
  if (pieceLength < MIN_KEY_LENGTH) return;
  const kept = characters.flatMap(({ read }, index) => {
    const character = normalise(read);
    return character === undefined ? [] : [{ character, index }];
  });
  const secrets = new Set(piecesOf([...form], pieceLength));
  const read = kept.map(({ character }) => character);
  piecesOf(read, pieceLength).forEach((piece, start) => {
    if (secrets.has(piece)) mark(kept[start]!.index, kept[start + pieceLength - 1]!.index);
  });

  function mark(first: number, last: number): void {
    const isPart = (index: number) => neighbours?.test(characters[index]?.read ?? '') && !isSecret[index];
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
