import type { AuthService } from '../auth/auth.service.js';
import type { Identity } from '../auth/identity.js';
import { UnauthenticatedError } from '../common/errors.js';
import { EventHub } from '../events/event-hub.js';

/** How long before its access token runs out a socket is told. */
const NOTICE_MS = 60_000;

export interface LiveSessionEvents {
  expiring?: (expiresAt: Date) => void;
  /** The connection may not go on. */
  ended: (reason: 'token_expired' | 'token_revoked') => void;
  /** Something may have been missed: the client is to come back, and resume. */
  resume: () => void;
}

/** The life of a connection's login: it ends with its access token, and at once when the session does. */
export class LiveSession {
  private timers: NodeJS.Timeout[] = [];
  private closed = false;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly hub: EventHub,
    private readonly auth: AuthService,
    private identity: Identity,
    private readonly events: LiveSessionEvents,
  ) {
    this.unsubscribe = hub.subscribe(identity.user.id, ({ type, body }) => {
      const own = type === 'session.revoked' && body.session_id === this.identity.session.id;
      if (own || type === 'account.deleted') this.end('token_revoked');
      if (type === 'connection.resume') this.events.resume();
    });
    this.begin();
  }

  /** A newer access token of the same user takes over. */
  renew(identity: Identity): void {
    if (this.closed) return;
    this.identity = identity;
    this.begin();
  }

  close(): void {
    this.closed = true;
    this.timers.forEach(clearTimeout);
    this.unsubscribe();
  }

  private begin(): void {
    this.schedule();
    void this.confirm(this.identity);
  }

  private schedule(): void {
    this.timers.forEach(clearTimeout);
    const { expiresAt } = this.identity;
    const left = expiresAt.getTime() - Date.now();
    this.timers = [setTimeout(() => this.end('token_expired'), left).unref()];
    if (!this.events.expiring) return;
    this.timers.push(
      setTimeout(() => this.events.expiring?.(expiresAt), Math.max(0, left - NOTICE_MS)).unref(),
    );
  }

  /** The session may have ended after the token was looked at and before its end would have been heard of here. */
  private async confirm({ user, session, expiresAt }: Identity): Promise<void> {
    try {
      await this.hub.ready(user.id);
      await this.auth.identify({ userId: user.id, sessionId: session.id, expiresAt });
    } catch (error) {
      // Where the database is away, its end is still heard of when it comes.
      const current = session.id === this.identity.session.id;
      if (error instanceof UnauthenticatedError && current) this.end('token_revoked');
    }
  }

  private end(reason: 'token_expired' | 'token_revoked'): void {
    if (this.closed) return;
    this.close();
    this.events.ended(reason);
  }
}
