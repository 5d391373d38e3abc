/** A character of ASCII has a bucket of its own. */
const ASCII = 128;
const HASH_BITS = 14;
/** Stored blocks were made with these and with `fold`: whoever changes either empties the tables in a migration. */
export const BUCKETS = ASCII + 2 ** HASH_BITS;
/** More would filter no better, and each is a row to be read of every block. */
const BUCKETS_A_QUERY = 8;
const NONE = -1;
const { imul } = Math;

/**
 * Tells the grams of a text, each as the bucket that it hashes to: every character, every three in a row, and every two
 * that are not ASCII (in Chinese, two are a word). Whatever text contains another has the other's grams too, by the
 * LOWER of each of our databases: `fold` makes the same of a character as of its lower case there.
 */
export class GramReader {
  private previous = NONE;
  private beforePrevious = NONE;

  constructor(private readonly onGram: (bucket: number, length: 1 | 2 | 3) => void) {}

  begin(): void {
    this.previous = this.beforePrevious = NONE;
  }

  /**
   * Reads a text, or the next piece of it.
   * @returns where to read on: `end`, or one more, where that were the middle of a character
   */
  read(text: string, start = 0, end = text.length): number {
    let at = start;
    while (at < end) {
      const codePoint = text.codePointAt(at)!;
      at += codePoint > 0xffff ? 2 : 1;
      this.next(fold(codePoint));
    }
    return at;
  }

  private next(last: number): void {
    const { previous, beforePrevious } = this;
    this.onGram(last < ASCII ? last : bucketOf(0, 0, last), 1);
    if (last >= ASCII && previous >= ASCII) this.onGram(bucketOf(0, previous, last), 2);
    if (beforePrevious !== NONE) this.onGram(bucketOf(beforePrevious, previous, last), 3);
    this.beforePrevious = previous;
    this.previous = last;
  }
}

/** The buckets that tell most of a text that is looked for: of its longest grams, from all over it. */
export function bucketsOf(query: string): number[] {
  const byLength = [new Set<number>(), new Set<number>(), new Set<number>()];
  new GramReader((bucket, length) => byLength[3 - length]!.add(bucket)).read(query);
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

/** Folded code points, 256 at a time, made when the first of them is met. */
const folded: (Uint32Array | undefined)[] = [];

/** A code point that it shares with its lower case, in any database's opinion. */
function fold(codePoint: number): number {
  return (folded[codePoint >> 8] ??= foldPage(codePoint & ~255))[codePoint & 255]!;
}

/** Of a lower case that is several (that of İ), the first. */
function foldPage(start: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) =>
    String.fromCodePoint(start + index)
      .toLowerCase()
      .codePointAt(0)!,
  );
}
