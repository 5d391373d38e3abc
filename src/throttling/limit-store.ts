export interface Budget {
  limit: number;
  windowMs: number;
}

export interface Usage {
  /** Hits counted in the current window. */
  used: number;
  /** Milliseconds until the window ends. */
  resetMs: number;
}

export interface Consumption extends Usage {
  /** False when nothing was left; it is then not counted either. */
  allowed: boolean;
}

/**
 * Counts in fixed windows, each of which begins with its key's first hit. A limiter as exact as a log of hits would
 * need memory for every hit; this needs one record a key, at the price of up to twice the limit around a window's end.
 */
export abstract class LimitStore {
  abstract tryConsume(key: string, budget: Budget): Consumption | Promise<Consumption>;
  /** Undoes one take of the current window. */
  abstract refund(key: string, windowMs: number): void | Promise<void>;
  /** How much is used in the current window. */
  abstract usage(key: string, windowMs: number): Usage | Promise<Usage>;
}
