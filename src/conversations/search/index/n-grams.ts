/** Of how n-grams are made and text is folded: to be raised with any change. Segments of other versions are made anew. */
export const INDEX_VERSION = 1;
/** A character of ASCII has a bucket of its own. */
const ASCII = 128;
const HASH_BITS = 14;
export const BUCKETS = ASCII + 2 ** HASH_BITS;
/** More would filter no better, and each is a row to be read of every segment. */
const BUCKETS_A_QUERY = 8;
const NONE = -1;
const { imul } = Math;

/**
 * Tells the n-grams of a text, each as the bucket that it hashes to: every character, every three in a row, and every two
 * that are not ASCII (in Chinese, two are a word). Whatever text contains another has the other's n-grams too. It is to be
 * folded text, of both.
 */
export class NGramReader {
  private previous = NONE;
  private beforePrevious = NONE;

  constructor(private readonly onNGram: (bucket: number, length: 1 | 2 | 3) => void) {}

  begin(): void {
    this.previous = this.beforePrevious = NONE;
  }

  /** Reads a text, or the next piece of it, which begins with a whole character. */
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

/** The buckets that tell most of a text that is looked for: of its longest n-grams, from all over it. */
export function bucketsOf(query: string): number[] {
  const byLength = [new Set<number>(), new Set<number>(), new Set<number>()];
  new NGramReader((bucket, length) => byLength[3 - length]!.add(bucket)).read(query);
  const chosen = new Set<number>();
  for (const some of byLength) {
    for (const bucket of spread([...some], BUCKETS_A_QUERY - chosen.size)) chosen.add(bucket);
  }
  return [...chosen];
}

function spread<T>(items: T[], count: number): T[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, index) => items[Math.floor((index * items.length) / count)]!);
}

function bucketOf(first: number, second: number, third: number): number {
  let hash = imul(first, 0x9e3779b1) ^ imul(second, 0x85ebca6b) ^ imul(third, 0xc2b2ae35);
  hash = imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ASCII + (hash >>> (32 - HASH_BITS));
}
