import { ParleyError } from '../error.js';
import type { ExchangeData, LoginData, RegisterData, Rest, TokenPair, User } from '../rest/index.js';
import { Store } from '../store.js';
import type { SessionTokens, SignedOutReason } from './session-tokens.js';
import { sessionOf, type StoredSession } from './storage.js';

export interface AuthState {
  /** `loading` until the storage has been read. */
  readonly status: 'loading' | 'signed-in' | 'signed-out';
  readonly user: User | null;
}

const SIGNED_OUT: AuthState = { status: 'signed-out', user: null };

/** Who is signed in: a store of AuthState, and the calls that change it. */
export class Auth extends Store<AuthState> {
  /** Resolves once the storage has been read: from then on `user` is the user who is signed in, or null. */
  readonly ready: Promise<void>;

  /** @internal */
  constructor(
    private readonly rest: Rest,
    private readonly tokens: SessionTokens,
  ) {
    super({ status: 'loading', user: null });
    tokens.changed.on((session) => this.show(session?.user ?? null));
    this.ready = tokens.ready.then(() => this.show(tokens.session?.user ?? null));
  }

  get user(): User | null {
    return this.getSnapshot().user;
  }

  /** Creates an account and signs in. */
  async register(account: RegisterData['body']): Promise<User> {
    await this.rest.register({ body: account });
    return this.login({ email: account.email, password: account.password });
  }

  async login(credentials: LoginData['body']): Promise<User> {
    await this.ready;
    const pair = await this.rest.login({ body: credentials });
    return this.begin(pair);
  }

  /** Signs in with an ID token of an OpenID provider that the server accepts. The first time creates the account. */
  async exchange(credentials: ExchangeData['body']): Promise<User> {
    await this.ready;
    const pair = await this.rest.exchange({ body: credentials });
    return this.begin(pair);
  }

  /** Ends the session. Without a connection it is forgotten here, and ends on the server when it expires. */
  async logout(): Promise<void> {
    await this.ready;
    const { session } = this.tokens;
    await this.tokens.signOut('logout');
    if (session) await this.endOnServer(session).catch(() => undefined);
  }

  /** Reads the user again, after a change of the account. */
  async reload(): Promise<User> {
    const user = await this.rest.getMe();
    const { session } = this.tokens;
    if (session) await this.tokens.save({ ...session, user });
    return user;
  }

  /** Requests a mail with a link that resets the password. Resolves whether the account exists or not. */
  async forgotPassword(email: string): Promise<void> {
    await this.rest.forgotPassword({ body: { email } });
  }

  /** Sets a new password with the token of a mailed link. Every session of the user ends. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.rest.resetPassword({ body: { token, password } });
  }

  /** Verifies an email address with the token of a mailed link. */
  async verifyEmail(token: string): Promise<void> {
    await this.rest.verifyEmail({ body: { token } });
  }

  /** Requests another mail with a link that verifies the address of the user who is signed in. */
  async resendVerification(): Promise<void> {
    await this.rest.requestEmailVerification();
  }

  /** Calls the listener when the session ends: by logout, by the server, or because another tab cleared the storage. */
  onSignedOut(listener: (reason: SignedOutReason, error?: ParleyError) => void): () => void {
    return this.tokens.signedOut.on(listener);
  }

  private async endOnServer({ access_token, refresh_token }: StoredSession): Promise<void> {
    try {
      await this.rest.logout({ auth: access_token });
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'token_expired') throw error;
      const pair = await this.rest.refreshTokens({ body: { refresh_token } });
      await this.rest.logout({ auth: pair.access_token });
    }
  }

  private async begin(pair: TokenPair): Promise<User> {
    const user = await this.rest.getMe({ auth: pair.access_token });
    await this.tokens.save(sessionOf(user, pair));
    return user;
  }

  private show(user: User | null): void {
    const { status, user: before } = this.getSnapshot();
    if (status !== 'loading' && JSON.stringify(before) === JSON.stringify(user)) return;
    this.set(user ? { status: 'signed-in', user } : SIGNED_OUT);
  }
}
