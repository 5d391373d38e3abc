/** Waiting times between attempts, doubled after each failure and spread at random, so that clients do not return at once. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly initialMs: number,
    private readonly maxMs: number,
  ) {}

  /** @param atLeastSeconds what the server asked for, respected up to a minute */
  nextMs(atLeastSeconds: number | null = null): number {
    const limit = Math.min(this.maxMs, this.initialMs * 2 ** this.failures++);
    return Math.max(limit * (0.5 + Math.random() / 2), Math.min(60, atLeastSeconds ?? 0) * 1000);
  }

  reset(): void {
    this.failures = 0;
  }
}
