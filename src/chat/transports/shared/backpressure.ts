/** More than this never waits for one client. Bytes. */
export const MAX_WAITING_BYTES = 1024 * 1024;
/** Of what a client has missed and comes back for, no more than this is got ready at once. Bytes. */
const MAX_MISSED_BYTES = 32 * 1024 * 1024;

/** What a client is written to by; a WebSocket, say. */
export interface Outlet {
  /** How many bytes wait in this process for the client to take. */
  readonly bufferedAmount: number;
}

/**
 * Whether one client keeps up with what it is sent. One that does not is cut, so that nobody waits for it and memory
 * stays bounded; it may come back, and resume.
 */
export class Backpressure {
  /** How much of what waits is not held against the client. */
  private excused = 0;

  constructor(private readonly outlet: Outlet) {}

  /**
   * To be asked before each write: a client that has fallen behind gets no more.
   *
   * What is larger than the limit by itself, such as a long reply, may wait as a whole, or it could never arrive. Only
   * one such thing waits at a time.
   */
  hasRoomFor(bytes: number): boolean {
    const waiting = this.outlet.bufferedAmount;
    this.excused = Math.min(this.excused, waiting);
    if (waiting - this.excused > MAX_WAITING_BYTES) return false;
    if (bytes <= MAX_WAITING_BYTES) return true;
    if (this.excused > MAX_WAITING_BYTES) return false;
    this.excused = waiting + bytes;
    return true;
  }

  /** To be asked before each write of what the client has missed: one that is cut comes back for the rest. */
  hasRoomForMissed(): boolean {
    return this.outlet.bufferedAmount <= MAX_MISSED_BYTES;
  }

  /** All that waits now is what the client had missed and came back for: it may take its time with it. */
  resetAllowance(): void {
    this.excused = this.outlet.bufferedAmount;
  }
}
