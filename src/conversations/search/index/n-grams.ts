/** Version of the n-grams and of foldText. Raise it with any change of either: older segments are rebuilt. */
export const INDEX_VERSION = 1;
/** ASCII characters have buckets of their own. */
const ASCII = 128;
const HASH_BITS = 14;
export const BUCKETS = ASCII + 2 ** HASH_BITS;
/** Each costs a row per segment; more do not filter better. */
const BUCKETS_PER_QUERY = 8;
const NONE = -1;
const { imul } = Math;

/**
 * Reports the n-grams of folded text as hash buckets: single characters, trigrams, and bigrams of non-ASCII characters
 * (two characters are often a word in Chinese). A text has all n-grams of any text that it contains.
 */
export class NGramReader {
  private previous = NONE;
  private beforePrevious = NONE;

  constructor(private readonly onNGram: (bucket: number, length: 1 | 2 | 3) => void) {}

  /** Starts a new text. */
  begin(): void {
    this.previous = this.beforePrevious = NONE;
  }

  /** Reads a text or its next piece; a piece starts with a whole character. */
  read(text: string): void {
    for (let at = 0; at < text.length;) {
      const codePoint = text.codePointAt(at)!;
      at += codePoint > 0xffff ? 2 : 1;
      this.next(codePoint);
    }
  }

  private next(last: number): void {
    const { previous, beforePrevious } = this;
    this.onNGram(last < ASCII ? last : bucketOf(0, 0, last), 1);
    if (last >= ASCII && previous >= ASCII) this.onNGram(bucketOf(0, previous, last), 2);
    if (beforePrevious !== NONE) this.onNGram(bucketOf(beforePrevious, previous, last), 3);
    this.beforePrevious = previous;
    this.previous = last;
  }
}

/** Buckets that filter best for a query: of its longest n-grams, spread over the text. */
export function bucketsOf(query: string): number[] {
  const byLength = [new Set<number>(), new Set<number>(), new Set<number>()];
  new NGramReader((bucket, length) => byLength[3 - length]!.add(bucket)).read(query);
  const chosen = new Set<number>();
  for (const buckets of byLength) {
    for (const bucket of spread([...buckets], BUCKETS_PER_QUERY - chosen.size)) chosen.add(bucket);
  }
  return [...chosen];
}

/** Picks items at equal distances. */
function spread<T>(items: T[], count: number): T[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)]!);
}

/** Hashes an n-gram of three code points, 0 for none. */
function bucketOf(first: number, second: number, third: number): number {
  let hash = imul(first, 0x9e3779b1) ^ imul(second, 0x85ebca6b) ^ imul(third, 0xc2b2ae35);
  hash = imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ASCII + (hash >>> (32 - HASH_BITS));
}
