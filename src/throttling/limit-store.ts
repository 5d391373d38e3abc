export interface Budget {
  limit: number;
  windowMs: number;
}

export interface WindowUsage {
  /** Hits counted in the current window. */
  used: number;
  /** Milliseconds until the window ends. */
  resetMs: number;
}

export interface Consumption extends WindowUsage {
  /** False if the limit was reached; the hit is then not counted. */
  allowed: boolean;
}

/**
 * Counts hits in fixed windows that start with a key's first hit. A fixed window needs one record per key instead of
 * one per hit, and allows up to twice the limit around a window's end.
 */
export abstract class LimitStore {
  abstract tryConsume(key: string, budget: Budget): Consumption | Promise<Consumption>;
  /** Undoes one hit of the current window. */
  abstract refund(key: string, windowMs: number): void | Promise<void>;
  /** Reads the current window without counting a hit. */
  abstract usage(key: string, windowMs: number): WindowUsage | Promise<WindowUsage>;
}
