interface RateLimit {
  amount: number;
  windowSeconds: number;
  /** What has a budget of its own. Who is not signed in counts by address where it says `user`. */
  per: 'address' | 'user' | 'account' | 'socket';
  /** Each node counts for itself, sparing the way to Redis. */
  nodeOnly?: boolean;
}

/** Every rate that is limited (API.md 8), before `RATE_LIMIT_SCALE`. */
export const RATE_LIMITS = {
  /** Login, register, refresh and a changed password: what a guesser of secrets would call. */
  credentials: { amount: 20, windowSeconds: 60, per: 'address' },
  /** Failures to log in to one account. The caller makes the key: an address that is known there has its own. */
  failed_login: { amount: 10, windowSeconds: 15 * 60, per: 'account' },
  /** Sends, regenerations and edits, over HTTP and sockets alike. Consumed by the chat's service, not by the guard. */
  chat: { amount: 30, windowSeconds: 60, per: 'user' },
  /** Every other call. */
  general: { amount: 600, windowSeconds: 60, per: 'user' },
  /** Requests that fail with nobody signed in. Over it, an address is turned away before any work is done for it. */
  unauthenticated: { amount: 600, windowSeconds: 60, per: 'address', nodeOnly: true },
  /** A socket stays with one node, which counts its events where it reads them. */
  socket_events: { amount: 50, windowSeconds: 1, per: 'socket', nodeOnly: true },
} as const satisfies Record<string, RateLimit>;

/** How many may be there at a time, before `RATE_LIMIT_SCALE`. Whoever holds them counts them. */
export const CONCURRENCY_LIMITS = {
  /** Replies of one user that run at once. */
  running_replies: 5,
  /** Answers over HTTP to one user that take their time: replies, exports, and what a provider is asked for. */
  long_responses: 20,
  /** Sockets of one user. */
  socket_connections: 20,
  /** Sockets of one address: more than a user's, as many users may share one behind a NAT. */
  address_connections: 100,
  /** Socket.IO's connections of one address, whether or not they have said whose they are. */
  address_handshakes: 200,
} as const;

export type RateLimitName = keyof typeof RATE_LIMITS;
export type ConcurrencyLimitName = keyof typeof CONCURRENCY_LIMITS;

/** The limits that a route may be marked with. */
export type RouteLimitName = 'credentials' | 'chat' | 'general';

export function windowMsOf(name: RateLimitName): number {
  return RATE_LIMITS[name].windowSeconds * 1000;
}

export function isNodeOnly(name: RateLimitName): boolean {
  const limit: RateLimit = RATE_LIMITS[name];
  return limit.nodeOnly === true;
}
