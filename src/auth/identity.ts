import type { Session } from './sessions/session.entity.js';
import type { User } from './users/user.entity.js';

/** The claims of a verified access token. */
export interface AccessClaims {
  userId: number;
  sessionId: number;
  /** Milliseconds since the epoch. */
  expiresAt: number;
}

/** The user and session of a valid access token; `request.user` on HTTP. */
export interface Identity {
  user: User;
  session: Session;
  /** Expiry of the access token in milliseconds since the epoch. */
  expiresAt: number;
}

/** Reduces an identity to what a long-lived connection may keep: no password hash, no stale columns. */
export function claimsOf({ user, session, expiresAt }: Identity): AccessClaims {
  return { userId: user.id, sessionId: session.id, expiresAt };
}
