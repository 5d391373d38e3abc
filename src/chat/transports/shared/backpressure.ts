/** The most that may be buffered for a client. Bytes. */
export const MAX_WAITING_BYTES = 1024 * 1024;
/** The most that may be buffered while a client catches up. Bytes. */
const MAX_MISSED_BYTES = 32 * 1024 * 1024;

/** A connection that buffers what it writes, such as a WebSocket. */
export interface Outlet {
  /** Bytes buffered in this process. */
  readonly bufferedAmount: number;
}

/** Limits what is buffered for one client. A client over the limit is disconnected by its transport, and may resume. */
export class Backpressure {
  /** Buffered bytes that do not count. */
  private exempt = 0;

  constructor(private readonly outlet: Outlet) {}

  /**
   * Whether the client may be sent so many bytes. Call it before each write.
   *
   * A single event larger than the limit, such as a long reply, may be buffered whole, one at a time.
   */
  hasRoomFor(bytes: number): boolean {
    const waiting = this.outlet.bufferedAmount;
    this.exempt = Math.min(this.exempt, waiting);
    if (waiting - this.exempt > MAX_WAITING_BYTES) return false;
    if (bytes <= MAX_WAITING_BYTES) return true;
    if (this.exempt > MAX_WAITING_BYTES) return false;
    this.exempt = waiting + bytes;
    return true;
  }

  /** Whether a client that catches up may be sent more. Call it before each write. */
  hasRoomForMissed(): boolean {
    return this.outlet.bufferedAmount <= MAX_MISSED_BYTES;
  }

  /** Exempts everything that is buffered now: it was sent to catch up. */
  resetAllowance(): void {
    this.exempt = this.outlet.bufferedAmount;
  }
}
