/** Drops what was requested before a reset, because somebody else may be signed in. */
export class UserChange {
  private resets = 0;

  reset(): void {
    this.resets++;
  }

  /** @returns a function that calls `receive`, but not after a reset */
  unlessReset<T>(receive: (received: T) => unknown): (received: T) => void {
    const { resets } = this;
    return (received) => void (resets === this.resets && receive(received));
  }
}
