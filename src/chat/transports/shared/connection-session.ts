import type { AuthService } from '../../../auth/guard/auth.service.js';
import type { AccessClaims } from '../../../auth/identity.js';
import { UnauthenticatedError } from '../../../common/errors/errors.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import type { ConversationStream } from '../../streams/conversation-stream.js';
import type { Subscription } from '../../streams/subscription.js';

/** Time between the notice of expiry and the expiry of an access token. */
const NOTICE_MS = 60_000;

export interface ConnectionSessionEvents {
  expiring?: (expiresAt: Date) => void;
  /** The connection must be closed. */
  ended: (reason: 'token_expired' | 'token_revoked') => void;
  /** Events may be lost: the client must reconnect and resume. */
  resume: () => void;
}

/** Ends a connection when its access token expires or its session is revoked. */
export class ConnectionSession {
  private readonly subscription: Subscription;
  private timer?: NodeJS.Timeout;
  private closed = false;
  /** When the claims were verified, by `performance.now()`. */
  private since = 0;

  constructor(
    stream: Pick<ConversationStream, 'subscribe'>,
    private readonly auth: AuthService,
    private claims: AccessClaims,
    private readonly events: ConnectionSessionEvents,
  ) {
    this.subscription = stream.subscribe(claims.userId, (event) => this.handle(event));
    this.begin();
  }

  /** Continues with a newer access token of the same user. */
  renew(claims: AccessClaims): void {
    if (this.closed) return;
    this.claims = claims;
    this.begin();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.subscription.end();
  }

  private handle(event: ParleyEvent): void {
    if (endsSession(event, this.claims.sessionId, this.since)) this.end('token_revoked');
    if (event.type === 'connection.resume') this.events.resume();
  }

  private begin(): void {
    this.since = performance.now();
    this.schedule();
    void this.confirm(this.claims);
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (!this.events.expiring) return this.scheduleEnd();
    const left = this.claims.expiresAt - Date.now() - NOTICE_MS;
    // Rounded to seconds: Node keeps a list of timers for each duration.
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

  /** Detects a session that ended after its token was verified and before the subscription was ready. */
  private async confirm(claims: AccessClaims): Promise<void> {
    try {
      await this.subscription.whenReady();
      await this.auth.identify(claims);
    } catch (error) {
      // Other errors, such as an unavailable database, do not end the session.
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

/**
 * Whether an event of the session's user reports its end.
 * @param since when the session was verified, by `performance.now()`
 */
export function endsSession({ type, body }: ParleyEvent, sessionId: number, since: number): boolean {
  if (type === 'session.revoked') return body.session_id === sessionId;
  // Ended by another process, judged by a read that began after the session was verified.
  if (type === 'sessions.current')
    return (body.as_of as number) >= since && !(body.session_ids as number[]).includes(sessionId);
  return type === 'account.deleted';
}

/** Shared by all sessions, so that an idle one keeps no closure for its timer. */
const giveNotice = (session: ConnectionSession) => session.giveNotice();
