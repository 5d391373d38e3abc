/** The longest line, in bytes of UTF-8. The lines of one event are bound by the same number together, in characters. */
export const MAX_LINE_BYTES = 1024 * 1024;

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
  private readonly decoder = new TextDecoder();
  /** The line that has not ended yet. */
  private fragments: string[] = [];
  private fragmentBytes = 0;
  private endedInCr = false;
  private type = '';
  private data: string | undefined;
  private overflowing = false;

  constructor(private readonly onEvent: (event: ServerSentEvent) => void) {}

  /** A line or an event passed the limit. Nothing more is read or kept from then on. */
  get overflowed(): boolean {
    return this.overflowing;
  }

  push(bytes: Uint8Array): void {
    this.read(this.decoder.decode(bytes, { stream: true }));
  }

  /** The stream ended well: what it left without its blank line counts, as providers forget that line. */
  end(): void {
    this.read(this.decoder.decode());
    this.endLine('');
    this.dispatch();
  }

  private read(decoded: string): void {
    if (decoded === '') return;
    const text = decoded.includes('\0') ? decoded.replaceAll('\0', '\ufffd') : decoded;
    let start = this.endedInCr && text[0] === '\n' ? 1 : 0;
    this.endedInCr = text.endsWith('\r');
    let lf = indexOf(text, '\n', start);
    let cr = indexOf(text, '\r', start);
    while (!this.overflowing && Math.min(lf, cr) < Infinity) {
      const end = Math.min(lf, cr);
      this.endLine(text.slice(start, end));
      start = end + (end === cr && lf === cr + 1 ? 2 : 1);
      if (lf < start) lf = indexOf(text, '\n', start);
      if (cr < start) cr = indexOf(text, '\r', start);
    }
    this.keep(text.slice(start));
  }

  private keep(fragment: string): void {
    if (fragment === '' || this.overflowing) return;
    this.fragments.push(fragment);
    this.fragmentBytes += Buffer.byteLength(fragment);
    if (this.fragmentBytes > MAX_LINE_BYTES) this.overflow();
  }

  private endLine(tail: string): void {
    if (this.fragments.length === 0) return this.readLine(tail);
    this.keep(tail);
    if (this.overflowing) return;
    const line = this.fragments.join('');
    this.fragments = [];
    this.fragmentBytes = 0;
    this.readLine(line);
  }

  private readLine(line: string): void {
    if (line === '') return this.dispatch();
    if (isOver(line)) return this.overflow();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === 'data') this.addData(valueOf(line, colon));
    else if (field === 'event') this.type = valueOf(line, colon);
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
    this.fragments = [];
    this.data = undefined;
  }
}

function indexOf(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? Infinity : index;
}

function valueOf(line: string, colon: number): string {
  if (colon < 0) return '';
  return line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
}

/** No UTF-16 code unit takes more than three bytes, so that short text need not be measured. */
function isOver(text: string): boolean {
  return text.length * 3 > MAX_LINE_BYTES && Buffer.byteLength(text) > MAX_LINE_BYTES;
}
