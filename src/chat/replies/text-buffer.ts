/** Room for this much at first. UTF-16 code units. */
const LEAST = 512;
const BYTES_A_UNIT = 2;

/**
 * Text that grows by small pieces, in memory of its own. What `+=` makes is a tree of all the pieces there ever were, to
 * V8: seven times as long as they are, and much to do for the garbage collector, for as long as the text grows.
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
    if (length * BYTES_A_UNIT > this.units.length) this.growTo(length);
    this.units.write(piece, this.total * BYTES_A_UNIT, 'utf16le');
    this.total = length;
  }

  /** As a string's: both in UTF-16 code units. */
  slice(start: number, end = this.total): string {
    return this.units.toString('utf16le', start * BYTES_A_UNIT, end * BYTES_A_UNIT);
  }

  toString(): string {
    return this.slice(0);
  }

  /** By half of it at least, so that a long text is copied a few times at most. */
  private growTo(length: number): void {
    const room = Math.max(length, Math.ceil(this.total * 1.5), LEAST);
    // Not of Buffer's pool, all of which it would keep.
    const units = Buffer.allocUnsafeSlow(room * BYTES_A_UNIT);
    this.units.copy(units, 0, 0, this.total * BYTES_A_UNIT);
    this.units = units;
  }
}
