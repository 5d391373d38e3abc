export interface Budget {
  limit: number;
  windowMs: number;
}

export interface Take {
  /** False when nothing was left; it is then not counted either. */
  taken: boolean;
  /** How much of the limit is used now. */
  used: number;
  /** Until the window ends and the whole limit is there again. */
  resetMs: number;
}

/**
 * Counts in fixed windows, each of which begins with its key's first hit. A limiter as exact as a log of hits would
 * need memory for every hit; this needs one record a key, at the price of up to twice the limit around a window's end.
 */
export abstract class LimitStore {
  abstract take(key: string, budget: Budget): Take | Promise<Take>;
  /** Undoes one take of the current window. */
  abstract giveBack(key: string, windowMs: number): void | Promise<void>;
  /** How much is used in the current window. */
  abstract peek(key: string, windowMs: number): Omit<Take, 'taken'> | Promise<Omit<Take, 'taken'>>;
}
