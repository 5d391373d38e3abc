import type { Identity } from '../auth/identity.js';
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
  private readonly unsubscribe: () => void;

  constructor(
    hub: EventHub,
    private identity: Identity,
    private readonly events: LiveSessionEvents,
  ) {
    this.unsubscribe = hub.subscribe(identity.user.id, ({ type, body }) => {
      const own = type === 'session.revoked' && body.session_id === this.identity.session.id;
      if (own || type === 'account.deleted') this.end('token_revoked');
      if (type === 'connection.resume') this.events.resume();
    });
    this.schedule();
  }

  /** A newer access token of the same user takes over. */
  renew(identity: Identity): void {
    this.identity = identity;
    this.schedule();
  }

  close(): void {
    this.timers.forEach(clearTimeout);
    this.unsubscribe();
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

  private end(reason: 'token_expired' | 'token_revoked'): void {
    this.close();
    this.events.ended(reason);
  }
}
