/** The longest line, in bytes of UTF-8. The lines of one event are bound by the same number together, in characters. */
export const MAX_LINE_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = '\ufeff';

export interface ServerSentEvent {
  /** What its `event:` field said, '' without one. */
  type: string;
  data: string;
}

/**
 * Reads an event stream as the WHATWG HTML standard says (section 9.2.6): any line ending, a byte order mark, comments,
 * however the bytes were cut into chunks. Bytes that are no UTF-8, and NULs, become U+FFFD. `id` and `retry` mean nothing here.
 */
export class EventStream {
  /** The line that has not ended yet is at its start: copied, as what a chunk is a part of must not be kept for it. */
  private partial = Buffer.alloc(0);
  private partialBytes = 0;
  private endedInCr = false;
  private begun = false;
  private type = '';
  private data: string | undefined;
  private overflowing = false;

  constructor(private readonly onEvent: (event: ServerSentEvent) => void) {}

  /** A line or an event passed the limit. Nothing more is read or kept from then on. */
  get overflowed(): boolean {
    return this.overflowing;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    let start = this.endedInCr && bytes[0] === LF ? 1 : 0;
    this.endedInCr = bytes[bytes.length - 1] === CR;
    let lf = indexOf(bytes, LF, start);
    let cr = indexOf(bytes, CR, start);
    while (!this.overflowing && Math.min(lf, cr) < Infinity) {
      const end = Math.min(lf, cr);
      this.endLine(bytes, start, end);
      start = end + (end === cr && lf === cr + 1 ? 2 : 1);
      if (lf < start) lf = indexOf(bytes, LF, start);
      if (cr < start) cr = indexOf(bytes, CR, start);
    }
    this.keep(bytes, start, bytes.length);
  }

  /** The stream ended well: what it left without its blank line counts, as providers forget that line. */
  end(): void {
    this.endLine(Buffer.alloc(0), 0, 0);
    this.dispatch();
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    if (start === end || this.overflowing) return;
    const length = this.partialBytes + end - start;
    if (length > MAX_LINE_BYTES) return this.overflow();
    if (length > this.partial.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.partial.length));
      this.partial.copy(grown, 0, 0, this.partialBytes);
      this.partial = grown;
    }
    bytes.copy(this.partial, this.partialBytes, start, end);
    this.partialBytes = length;
  }

  private endLine(bytes: Buffer, start: number, end: number): void {
    if (this.partialBytes === 0) return this.readLine(bytes, start, end);
    this.keep(bytes, start, end);
    if (this.overflowing) return;
    const { partial, partialBytes } = this;
    this.partialBytes = 0;
    this.readLine(partial, 0, partialBytes);
  }

  private readLine(bytes: Buffer, start: number, end: number): void {
    if (start === end) return this.dispatch();
    if (end - start > MAX_LINE_BYTES) return this.overflow();
    const line = this.decode(bytes, start, end);
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === 'data') this.addData(valueOf(line, colon));
    else if (field === 'event') this.type = valueOf(line, colon);
  }

  private decode(bytes: Buffer, start: number, end: number): string {
    const line = bytes.toString('utf8', start, end);
    const isMarked = !this.begun && line.startsWith(BYTE_ORDER_MARK);
    this.begun = true;
    const text = isMarked ? line.slice(1) : line;
    return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
  }

  private addData(value: string): void {
    this.data = this.data === undefined ? value : `${this.data}\n${value}`;
    if (this.data.length > MAX_LINE_BYTES) this.overflow();
  }

  private dispatch(): void {
    const { type, data } = this;
    this.type = '';
    this.data = undefined;
    if (data !== undefined && !this.overflowing) this.onEvent({ type, data });
  }

  private overflow(): void {
    this.overflowing = true;
    this.partial = Buffer.alloc(0);
    this.partialBytes = 0;
    this.data = undefined;
  }
}

function indexOf(bytes: Buffer, byte: number, from: number): number {
  const index = bytes.indexOf(byte, from);
  return index < 0 ? Infinity : index;
}

function valueOf(line: string, colon: number): string {
  if (colon < 0) return '';
  return line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
}
