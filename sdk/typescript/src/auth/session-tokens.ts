import { Emitter } from '../emitter.js';
import { ParleyError } from '../error.js';
import { clock } from '../platform/clock.js';
import { withLock } from '../platform/locks.js';
import type { TokenPair } from '../rest/types.gen.js';
import { sessionOf, type SessionStorage, type StoredSession } from './storage.js';

/** Seconds before its expiry at which an access token is replaced. */
const MARGIN_S = 60;

/** What the server answers to a refresh when the session is over. Any other failure may pass. */
const SESSION_OVER = new Set(['token_reused', 'token_revoked', 'token_expired', 'unauthenticated']);

/** Why there is no session any more. */
export type SignedOutReason = 'logout' | 'session_ended' | 'storage_cleared';

export const signedOutError = (cause?: unknown) =>
  new ParleyError('signed_out', 'Nobody is signed in.', { status: 401, cause });

/**
 * The tokens of the session. They are refreshed once for all callers of this tab and, where the Web Locks API exists,
 * of all tabs; without it, the server answers simultaneous refreshes with the same successor.
 */
export class SessionTokens {
  session: StoredSession | null = null;
  /** Emits after the session, or one of its tokens, has changed. */
  readonly changed = new Emitter<[StoredSession | null]>();
  readonly signedOut = new Emitter<[SignedOutReason, ParleyError | undefined]>();
  /** Resolves once the storage has been read. */
  readonly ready: Promise<void>;
  private receivedAt = 0;
  private refreshing: Promise<string> | null = null;

  /** @param requestPair calls `POST /auth/refresh` */
  constructor(
    private readonly storage: SessionStorage,
    private readonly requestPair: (refreshToken: string) => Promise<TokenPair>,
  ) {
    this.ready = this.sync().catch(() => undefined);
  }

  /** Reads the storage again: another tab may have refreshed, signed in or signed out. */
  async sync(): Promise<void> {
    const before = this.session;
    const stored = await this.storage.read();
    // Changed here in the meantime: the storage follows.
    if (this.session !== before) return;
    if (!stored && before) this.forget('storage_cleared');
    else if (stored && stored.access_token !== before?.access_token) this.adopt(stored);
  }

  async save(session: StoredSession): Promise<void> {
    this.adopt(session);
    await this.storage.write(session);
  }

  async signOut(reason: SignedOutReason, error?: ParleyError): Promise<void> {
    this.forget(reason, error);
    await this.storage.clear();
  }

  /** Returns an access token that is valid for now, as far as this device can tell. */
  async accessToken(): Promise<string> {
    await this.ready;
    const { access_token, expires_in } = this.required();
    const left = this.secondsLeft();
    if (left > Math.min(MARGIN_S, expires_in / 10)) return access_token;
    try {
      return await this.refresh(access_token);
    } catch (error) {
      if (left > 0 && this.session) return access_token;
      throw error;
    }
  }

  /**
   * Replaces an access token, once for all callers.
   * @param used the token to replace; when it is replaced already, the present one is returned
   */
  refresh(used: string): Promise<string> {
    this.refreshing ??= withLock(this.storage.key, () => this.refreshNow(used)).finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async refreshNow(used: string): Promise<string> {
    await this.sync();
    const session = this.required();
    if (session.access_token !== used) return session.access_token;
    try {
      const pair = await this.requestPair(session.refresh_token);
      return await this.replace(session, pair);
    } catch (error) {
      if (!isSessionOver(error)) throw error;
      return this.endUnlessReplaced(session, error);
    }
  }

  /** Stores the answer of a refresh, unless somebody signed out while it was under way. */
  private async replace(before: StoredSession, pair: TokenPair): Promise<string> {
    await this.sync();
    if (this.session === before) await this.save(sessionOf(before.user, pair));
    return this.required().access_token;
  }

  /** Another tab may have used the refresh token, and its successor, before this one's request arrived. */
  private async endUnlessReplaced(session: StoredSession, error: ParleyError): Promise<string> {
    await this.sync();
    if (this.session && this.session.refresh_token !== session.refresh_token) {
      return this.session.access_token;
    }
    if (this.session) await this.signOut('session_ended', error);
    throw signedOutError(error);
  }

  private required(): StoredSession {
    if (!this.session) throw signedOutError();
    return this.session;
  }

  private adopt(session: StoredSession): void {
    this.session = session;
    this.receivedAt = clock.monotonic() - Math.max(0, clock.now() - session.obtained_at);
    this.changed.emit(session);
  }

  private forget(reason: SignedOutReason, error?: ParleyError): void {
    if (!this.session) return;
    this.session = null;
    this.changed.emit(null);
    this.signedOut.emit(reason, error);
  }

  /**
   * Counts from the moment the token was received, by differences on this device: its clock may be wrong. A clock
   * that was set back since then is noticed by a 401 `token_expired`.
   */
  private secondsLeft(): number {
    return this.required().expires_in - (clock.monotonic() - this.receivedAt) / 1000;
  }
}

function isSessionOver(error: unknown): error is ParleyError {
  return error instanceof ParleyError && error.status === 401 && SESSION_OVER.has(error.code);
}
