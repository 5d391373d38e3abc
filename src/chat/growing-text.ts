/** Pieces are joined once they are longer than half of what has been joined before, and than this. UTF-16 code units. */
const LEAST = 1024;

/**
 * Text that grows by small pieces. What `+=` makes is a tree of all the pieces there ever were, to V8: seven times as
 * long as they are, and much to do for the garbage collector. Here each character is copied three times at most.
 */
export class GrowingText {
  private joined = '';
  private pieces: string[] = [];
  private total = 0;

  /** In UTF-16 code units. */
  get length(): number {
    return this.total;
  }

  append(piece: string): void {
    this.pieces.push(piece);
    this.total += piece.length;
    if (this.total - this.joined.length > Math.max(LEAST, this.joined.length / 2)) this.join();
  }

  toString(): string {
    if (this.pieces.length > 0) this.join();
    return this.joined;
  }

  private join(): void {
    this.joined = [this.joined, ...this.pieces].join('');
    this.pieces = [];
  }
}
