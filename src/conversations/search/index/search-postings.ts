/**
 * Postings: ascending positions of messages in a segment, packed as gaps (little-endian base 128) or, if that is not
 * shorter, as a bitmap of the whole segment. The length distinguishes the two.
 */

const bitmapBytes = (size: number) => Math.ceil(size / 8);
const INITIAL_BYTES = 8;

/** Collects the postings of many buckets; positions are added in ascending order. */
export class PostingRows {
  private readonly rows: (PostingRow | undefined)[];

  /** @param maxSize largest number of positions */
  constructor(
    buckets: number,
    private readonly maxSize: number,
  ) {
    this.rows = Array(buckets).fill(undefined);
  }

  add(bucket: number, position: number): void {
    (this.rows[bucket] ??= new PostingRow(this.maxSize)).add(position);
  }

  /**
   * Packs the buckets that have postings.
   * @param size of the finished segment
   */
  *packed(size: number): Generator<[bucket: number, postings: Buffer]> {
    for (const [bucket, row] of this.rows.entries()) if (row) yield [bucket, asBuffer(row.packed(size))];
  }
}

class PostingRow {
  private bytes: Uint8Array = new Uint8Array(INITIAL_BYTES);
  private used = 0;
  private last = -1;
  private isBitmap = false;

  constructor(private readonly maxSize: number) {}

  add(position: number): void {
    if (position === this.last) return;
    if (!this.isBitmap && this.used + 2 >= bitmapBytes(this.maxSize)) this.convertToBitmap(this.maxSize);
    if (this.isBitmap) setBit(this.bytes, position);
    else this.append(position - this.last - 1);
    this.last = position;
  }

  packed(size: number): Uint8Array {
    if (!this.isBitmap && this.used < bitmapBytes(size)) return this.bytes.subarray(0, this.used);
    if (!this.isBitmap) this.convertToBitmap(size);
    return this.bytes.subarray(0, bitmapBytes(size));
  }

  private append(gap: number): void {
    if (this.used + MAX_GAP_BYTES > this.bytes.length) {
      const longer = new Uint8Array(2 * this.bytes.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.used = writeGap(this.bytes, this.used, gap);
  }

  private convertToBitmap(size: number): void {
    this.bytes = toBitmap(this.bytes.subarray(0, this.used), size);
    this.isBitmap = true;
  }
}

/** @returns the positions that all postings contain, ascending */
export function intersect(postings: Uint8Array[], size: number): number[] {
  const [common, ...others] = postings.map((packed) =>
    packed.length === bitmapBytes(size) ? Uint8Array.from(packed) : toBitmap(packed, size),
  );
  if (!common) return [];
  for (const other of others) for (let i = 0; i < common.length; i++) common[i]! &= other[i]!;
  return positionsIn(common);
}

function toBitmap(gaps: Uint8Array, size: number): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(size));
  for (const position of unpackAscending(gaps)) setBit(bitmap, position);
  return bitmap;
}

function setBit(bitmap: Uint8Array, position: number): void {
  bitmap[position >> 3]! |= 1 << (position & 7);
}

function positionsIn(bitmap: Uint8Array): number[] {
  const positions: number[] = [];
  for (const [index, byte] of bitmap.entries()) {
    if (byte === 0) continue;
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) positions.push(8 * index + bit);
  }
  return positions;
}

/** Packs ascending safe integers from 0 on as gaps. */
export function packAscending(numbers: number[]): Buffer {
  const bytes = new Uint8Array(MAX_GAP_BYTES * numbers.length);
  let used = 0;
  let last = -1;
  for (const number of numbers) {
    used = writeGap(bytes, used, number - last - 1);
    last = number;
  }
  return asBuffer(bytes.subarray(0, used));
}

/** Converts without a copy: database drivers accept bytes only as a Buffer. */
function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}

export function unpackAscending(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let last = -1;
  for (let at = 0; at < bytes.length;) {
    let gap = 0;
    let unit = 1;
    for (; bytes[at]! >= 128; at++, unit *= 128) gap += (bytes[at]! - 128) * unit;
    gap += bytes[at++]! * unit;
    last += gap + 1;
    numbers.push(last);
  }
  return numbers;
}

/** Bytes of the largest safe integer. */
const MAX_GAP_BYTES = 8;

/**
 * Writes by division, because ids can exceed the 32 bits of shifts.
 * @returns the index after the gap
 */
function writeGap(bytes: Uint8Array, at: number, gap: number): number {
  let rest = gap;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = 128 + (rest % 128);
  bytes[at++] = rest;
  return at;
}
