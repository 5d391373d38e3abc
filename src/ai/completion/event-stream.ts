/** Maximum length of a line, in bytes of UTF-8, and of the lines of one event together, in characters. */
export const MAX_LINE_BYTES = 1024 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const DONE = '[DONE]';
const BYTE_ORDER_MARK = '\ufeff';

export interface ServerSentEvent {
  /** From the `event:` field; '' without one. */
  type: string;
  data: string;
}

/** Longer stray lines are cut. UTF-16 code units. */
const MAX_STRAY_LENGTH = 500;

/**
 * Parses an event stream (WHATWG HTML section 9.2.6): any line ending, a byte order mark, comments, however the bytes
 * were split into chunks. Invalid UTF-8 and NULs become U+FFFD; `id` and `retry` are ignored. Also parses events
 * without a blank line between them, JSON without a field name, and llama.cpp's `error:` field.
 */
export class EventStream {
  /** Starts with the unfinished line; copied, so that the chunk is not retained. */
  private partial = Buffer.alloc(0);
  private partialBytes = 0;
  private endedInCr = false;
  private started = false;
  private type = '';
  /** Type of the next data, if no blank line precedes it. */
  private nextType?: string;
  private data: string | undefined;
  private isJoined = false;
  private skipping = false;
  private firstStrayLine = '';

  constructor(
    private readonly onEvent: (event: ServerSentEvent) => void,
    /** Called when a line or an event exceeds the limit and is skipped. */
    private readonly onOverflow: () => void,
  ) {}

  /** The first line that is neither a field nor a comment: usually an error in plain text. */
  get strayLine(): string {
    return this.firstStrayLine;
  }

  push(bytes: Buffer): void {
    if (bytes.length === 0) return;
    let start = this.endedInCr && bytes[0] === LF ? 1 : 0;
    this.endedInCr = bytes[bytes.length - 1] === CR;
    let lf = indexOf(bytes, LF, start);
    let cr = indexOf(bytes, CR, start);
    while (Math.min(lf, cr) < Infinity) {
      const end = Math.min(lf, cr);
      this.endLine(bytes, start, end);
      start = end + (end === cr && lf === cr + 1 ? 2 : 1);
      if (lf < start) lf = indexOf(bytes, LF, start);
      if (cr < start) cr = indexOf(bytes, CR, start);
    }
    this.keep(bytes, start, bytes.length);
  }

  /** Ends the stream: data without its blank line counts, because providers omit it. */
  end(): void {
    this.endLine(Buffer.alloc(0), 0, 0);
    this.dispatch();
  }

  private keep(bytes: Buffer, start: number, end: number): void {
    if (start === end || this.skipping) return;
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
    if (this.skipping) return this.stopSkipping();
    if (this.partialBytes === 0) return this.readLine(bytes, start, end);
    this.keep(bytes, start, end);
    if (this.skipping) return this.stopSkipping();
    const { partial, partialBytes } = this;
    this.partialBytes = 0;
    this.readLine(partial, 0, partialBytes);
  }

  private readLine(bytes: Buffer, start: number, end: number): void {
    if (start === end) return this.dispatch();
    if (end - start > MAX_LINE_BYTES) return this.dropEvent();
    const line = this.decode(bytes, start, end);
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === 'data') this.addData(valueOf(line, colon));
    else if (field === 'event') this.setType(valueOf(line, colon));
    else if (colon !== 0) this.readOther(field, line, colon);
  }

  private readOther(field: string, line: string, colon: number): void {
    if (field === 'error') {
      this.setType('error');
      this.addData(valueOf(line, colon));
    } else if (line.startsWith('{')) {
      this.addData(line);
      if (!this.isJoined && isWhole(line)) this.dispatch();
    } else if (field !== 'id' && field !== 'retry') {
      this.firstStrayLine ||= line.slice(0, MAX_STRAY_LENGTH);
    }
  }

  private decode(bytes: Buffer, start: number, end: number): string {
    const line = bytes.toString('utf8', start, end);
    const isMarked = !this.started && line.startsWith(BYTE_ORDER_MARK);
    this.started = true;
    const text = isMarked ? line.slice(1) : line;
    return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
  }

  private setType(type: string): void {
    if (this.data === undefined) this.type = type;
    else this.nextType = type;
  }

  private addData(value: string): void {
    if (this.data === undefined) {
      this.data = value;
      if (value === DONE) this.dispatch();
    } else if (!this.isJoined && isWhole(this.data)) {
      this.dispatch(true);
      this.addData(value);
    } else {
      // Set once, so that lines of a long event are not parsed again for each line.
      this.isJoined = true;
      this.data = `${this.data}\n${value}`;
      if (this.data.length > MAX_LINE_BYTES) this.dropEvent();
    }
  }

  /** @param isEarly without a blank line: the next event's type may have been read already */
  private dispatch(isEarly = false): void {
    const { type, nextType, data } = this;
    this.type = isEarly ? (nextType ?? '') : '';
    this.nextType = this.data = undefined;
    this.isJoined = false;
    if (data !== undefined) this.onEvent({ type: isEarly ? type : (nextType ?? type), data });
  }

  private overflow(): void {
    this.skipping = true;
    this.partial = Buffer.alloc(0);
    this.partialBytes = 0;
    this.onOverflow();
  }

  private stopSkipping(): void {
    this.skipping = false;
    this.data = undefined;
  }

  private dropEvent(): void {
    this.data = undefined;
    this.isJoined = false;
    this.onOverflow();
  }
}

/** Whether data is complete: `[DONE]` or a JSON object. */
function isWhole(data: string): boolean {
  if (data === DONE) return true;
  if (!data.startsWith('{') || !data.endsWith('}')) return false;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false; // an object over several lines
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
