interface RateLimit {
  amount: number;
  windowSeconds: number;
  /** What has a budget of its own. Unauthenticated callers count by address in place of `user`. */
  per: 'address' | 'user' | 'account' | 'socket';
  /** Counted by each node alone, without Redis. */
  nodeOnly?: boolean;
}

/** Rate limits before `RATE_LIMIT_SCALE`. */
export const RATE_LIMITS = {
  /** Routes that verify a password or a refresh token, and registration. */
  credentials: { amount: 20, windowSeconds: 60, per: 'address' },
  /** Failed logins to one account. An address known to the account has a budget of its own. */
  failed_login: { amount: 10, windowSeconds: 15 * 60, per: 'account' },
  /** Wrong codes of the second factor of one account, in the same budgets: six digits could be guessed in time. */
  wrong_codes: { amount: 50, windowSeconds: 24 * 60 * 60, per: 'account' },
  /** Mails with links to one account, and to one address. Beyond it none is sent, and the response is the same. */
  mails: { amount: 3, windowSeconds: 60 * 60, per: 'account' },
  /** Mails that report a change of an account to one address. */
  notices: { amount: 10, windowSeconds: 60 * 60, per: 'account' },
  /** Sends, regenerations and edits over all transports. Consumed by the chat service, not by the guard. */
  chat: { amount: 30, windowSeconds: 60, per: 'user' },
  /** All other calls. */
  general: { amount: 600, windowSeconds: 60, per: 'user' },
  /** Failed unauthenticated requests. Above it, requests of the address are refused before they are read. */
  unauthenticated: { amount: 600, windowSeconds: 60, per: 'address', nodeOnly: true },
  /** Events that one socket sends. */
  socket_events: { amount: 50, windowSeconds: 1, per: 'socket', nodeOnly: true },
} as const satisfies Record<string, RateLimit>;

/** Concurrency limits before `RATE_LIMIT_SCALE`. */
export const CONCURRENCY_LIMITS = {
  /** Running replies of one user. */
  running_replies: 5,
  /** Concurrent HTTP requests of one user that may take minutes: replies, exports, uploads, calls of a provider. */
  long_responses: 20,
  /** Sockets of one user. */
  socket_connections: 20,
  /** Sockets of one address; higher than a user's, because users share addresses behind a NAT. */
  address_connections: 100,
  /** Socket.IO connections of one address, authenticated or not. */
  address_handshakes: 200,
} as const;

export type RateLimitName = keyof typeof RATE_LIMITS;
export type ConcurrencyLimitName = keyof typeof CONCURRENCY_LIMITS;

/** Names that `@Limit` accepts. */
export type RouteLimitName = 'credentials' | 'general';

export function windowMsOf(name: RateLimitName): number {
  return RATE_LIMITS[name].windowSeconds * 1000;
}

export function isNodeOnly(name: RateLimitName): boolean {
  const limit: RateLimit = RATE_LIMITS[name];
  return limit.nodeOnly === true;
}
