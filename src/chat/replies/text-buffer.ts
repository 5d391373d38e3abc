/** UTF-16 code units. */
const INITIAL_CAPACITY = 512;
const BYTES_PER_UNIT = 2;

/**
 * Text that grows by small pieces, stored as UTF-16 in a buffer. Concatenation with `+=` would make V8 keep a rope
 * of all pieces, several times as large as the text and costly for the garbage collector.
 */
export class TextBuffer {
  private units = Buffer.alloc(0);
  private total = 0;

  /** In UTF-16 code units. */
  get length(): number {
    return this.total;
  }

  append(piece: string): void {
    const length = this.total + piece.length;
    if (length * BYTES_PER_UNIT > this.units.length) this.growTo(length);
    this.units.write(piece, this.total * BYTES_PER_UNIT, 'utf16le');
    this.total = length;
  }

  /** As `String.prototype.slice`, for non-negative indices. */
  slice(start: number, end = this.total): string {
    return this.units.toString('utf16le', start * BYTES_PER_UNIT, end * BYTES_PER_UNIT);
  }

  toString(): string {
    return this.slice(0);
  }

  /** Grows by at least half, so that a long text is copied only a few times. */
  private growTo(length: number): void {
    const capacity = Math.max(length, Math.ceil(this.total * 1.5), INITIAL_CAPACITY);
    // Outside Buffer's pool, which a small slice would keep alive as a whole.
    const units = Buffer.allocUnsafeSlow(capacity * BYTES_PER_UNIT);
    this.units.copy(units, 0, 0, this.total * BYTES_PER_UNIT);
    this.units = units;
  }
}
