import type { AuthService } from '../../../auth/auth.service.js';
import type { AccessClaims } from '../../../auth/identity.js';
import { UnauthenticatedError } from '../../../common/errors/errors.js';
import { EventHub } from '../../../events/event-hub.js';
import type { ParleyEvent } from '../../../events/parley-event.js';

/** How long before its access token runs out a socket is told. */
const NOTICE_MS = 60_000;

export interface ConnectionSessionEvents {
  expiring?: (expiresAt: Date) => void;
  /** The connection may not go on. */
  ended: (reason: 'token_expired' | 'token_revoked') => void;
  /** Something may have been missed: the client is to come back, and resume. */
  resume: () => void;
}

/** The life of a connection's login: it ends with its access token, and at once when the session does. */
export class ConnectionSession {
  private timer?: NodeJS.Timeout;
  private closed = false;

  constructor(
    private readonly hub: EventHub,
    private readonly auth: AuthService,
    private claims: AccessClaims,
    private readonly events: ConnectionSessionEvents,
  ) {
    hub.subscribe(claims.userId, this.listen);
    this.begin();
  }

  /** A newer access token of the same user takes over. */
  renew(claims: AccessClaims): void {
    if (this.closed) return;
    this.claims = claims;
    this.begin();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.hub.unsubscribe(this.claims.userId, this.listen);
  }

  private readonly listen = ({ type, body }: ParleyEvent): void => {
    const own = type === 'session.revoked' && body.session_id === this.claims.sessionId;
    if (own || type === 'account.deleted') this.end('token_revoked');
    if (type === 'connection.resume') this.events.resume();
  };

  private begin(): void {
    this.schedule();
    void this.confirm(this.claims);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (!this.events.expiring) return this.scheduleEnd();
    const left = this.claims.expiresAt - Date.now() - NOTICE_MS;
    // In whole seconds, as Node keeps a list of timers for each length that there is.
    this.timer = setTimeout(giveNotice, Math.max(0, Math.floor(left / 1000) * 1000), this).unref();
  }

  giveNotice(): void {
    this.scheduleEnd();
    this.events.expiring?.(new Date(this.claims.expiresAt));
  }

  private scheduleEnd(): void {
    const left = this.claims.expiresAt - Date.now();
    this.timer = setTimeout(() => this.end('token_expired'), left).unref();
  }

  /** The session may have ended after the token was looked at and before its end would have been heard of here. */
  private async confirm(claims: AccessClaims): Promise<void> {
    try {
      await this.hub.whenSubscribed(claims.userId);
      await this.auth.identify(claims);
    } catch (error) {
      // Where the database is away, its end is still heard of when it comes.
      const current = claims.sessionId === this.claims.sessionId;
      if (error instanceof UnauthenticatedError && current) this.end('token_revoked');
    }
  }

  private end(reason: 'token_expired' | 'token_revoked'): void {
    if (this.closed) return;
    this.close();
    this.events.ended(reason);
  }
}

/** One for all sessions, where each would keep a function of its own for the timer's sake. */
const giveNotice = (session: ConnectionSession) => session.giveNotice();
