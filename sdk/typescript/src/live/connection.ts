import type { SessionTokens } from '../auth/session-tokens.js';
import { Emitter } from '../emitter.js';
import { networkError, ParleyError } from '../error.js';
import { Backoff } from '../platform/backoff.js';
import { clock } from '../platform/clock.js';
import { onPageEvent } from '../platform/page-events.js';
import { Store } from '../store.js';
import type { LiveEvent } from './events.js';
import { type Body, type Command, type Data, LiveSocket, type Transports } from './live-socket.js';

/** `offline` after a failed attempt, while it tries again; also before the connection is needed. */
export type ConnectionStatus = 'connecting' | 'live' | 'offline';

/** A connection that lasted this long may be followed by another without waiting. */
const STABLE_MS = 5_000;

/** An attempt that failed after this long was not refused. */
const HUNG_MS = 5_000;

/** How long a connection may take to answer after the device has slept. */
const PROBE_TIMEOUT_MS = 5_000;

const WEBSOCKET_FIRST: Transports = ['websocket', 'polling'];
/** For networks in which a WebSocket hangs instead of failing. */
const POLLING_FIRST: Transports = ['polling', 'websocket'];

/**
 * The one Socket.IO connection of a client, opened when first needed and again whenever it is lost. Where it cannot be
 * opened, event streams of single conversations substitute for it.
 */
export class Connection extends Store<ConnectionStatus> {
  /** Emits each time the connection is live: what was open must be opened again. */
  readonly opened = new Emitter<[]>();
  /** Emits when an attempt to connect has failed, for the first time since the connection was live. */
  readonly failed = new Emitter<[]>();
  /** Emits when the device may have slept. */
  readonly woken = new Emitter<[]>();
  readonly events = new Emitter<[LiveEvent]>();
  /** The longest time between two attempts to connect. @internal */
  readonly retryMs: number;
  private state: ConnectionStatus = 'offline';
  private substitutes = 0;
  private socket: LiveSocket | null = null;
  private token = '';
  private userId: number | undefined;
  private transports = WEBSOCKET_FIRST;
  private needed = false;
  private running = false;
  private wakeUp: () => void = () => undefined;
  private readonly backoff: Backoff;
  private readonly endings: (() => void)[];

  /** @internal */
  constructor(
    private readonly baseUrl: string,
    private readonly tokens: SessionTokens,
    { initialMs = 500, maxMs = 10_000 }: { initialMs?: number; maxMs?: number } = {},
  ) {
    super('offline');
    this.retryMs = maxMs;
    this.backoff = new Backoff(initialMs, maxMs);
    this.endings = [
      tokens.changed.on(() => this.sessionChanged()),
      onPageEvent('online', () => this.wake()),
      onPageEvent('pageshow', () => this.wake()),
      onPageEvent('focus', () => this.wake()),
      onPageEvent('visibilitychange', () => this.wake()),
      onPageEvent('resume', () => this.wake()),
    ];
  }

  /** Whether commands can be sent over the socket. */
  get isLive(): boolean {
    return this.state === 'live';
  }

  /** Whether the last attempt to connect has failed. */
  get hasFailed(): boolean {
    return this.running && this.state === 'offline';
  }

  /** Opens the connection, and keeps it open, as soon as somebody is signed in. @internal */
  need(): void {
    this.needed = true;
    if (!this.running && this.tokens.session) void this.run();
  }

  /** Tries at once, or tests a connection that may have died while the device slept. Browsers need not call it. */
  wake(): void {
    this.wakeUp();
    if (this.isLive) this.present(PROBE_TIMEOUT_MS);
    this.woken.emit();
  }

  /** Counts an event stream as a connection. Returns the function that ends this. @internal */
  substitute(): () => void {
    this.substitutes++;
    this.show(this.state);
    return () => {
      this.substitutes--;
      this.show(this.state);
    };
  }

  /** Resolves with whether the socket is live, at the latest after `ms`; at once while it is substituted. @internal */
  whenLive(ms: number): Promise<boolean> {
    if (this.isLive || this.substitutes > 0) return Promise.resolve(this.isLive);
    return new Promise((resolve) => {
      const settle = (isLive: boolean) => {
        clearTimeout(timer);
        unsubscribe();
        resolve(isLive);
      };
      const timer = setTimeout(() => settle(false), ms);
      const unsubscribe = this.opened.on(() => settle(true));
    });
  }

  /** Sends a command over the live connection; fails with `network_error` where there is none. @internal */
  async request<Name extends Command>(
    name: Name,
    body: Body<Name>,
    onData?: (data: Data<Name>) => void,
  ): Promise<Data<Name>> {
    if (!this.socket || !this.isLive) throw networkError('The connection is not live.');
    return this.socket.request(name, body, onData);
  }

  /** @internal */
  close(): void {
    this.needed = false;
    this.endings.forEach((end) => end());
    this.drop();
  }

  private async run(): Promise<void> {
    this.running = true;
    this.show('connecting');
    while (this.isWanted) {
      const error = await this.stay();
      if (!this.isWanted) break;
      this.show(error ? 'offline' : 'connecting');
      await this.sleep(this.backoff.nextMs(error?.retryAfter));
    }
    this.running = false;
    this.show('offline');
  }

  private get isWanted(): boolean {
    return this.needed && this.tokens.session !== null;
  }

  /** Connects and waits for the end of the connection. @returns why it could not connect */
  private async stay(): Promise<ParleyError | null> {
    let since = clock.monotonic();
    try {
      const socket = await this.connect();
      since = clock.monotonic();
      this.show('live');
      this.opened.emit();
      await socket.closed;
      if (clock.monotonic() - since >= STABLE_MS) this.backoff.reset();
      return null;
    } catch (error) {
      return await this.refused(error, clock.monotonic() - since);
    } finally {
      this.socket = null;
    }
  }

  private async connect(): Promise<LiveSocket> {
    const token = (this.token = await this.tokens.accessToken());
    this.userId = this.tokens.session?.user.id;
    const socket = (this.socket = this.socketFor(token));
    await socket.connect();
    // Refreshed, or signed out, while it connected.
    if (this.socket !== socket) throw networkError('closed');
    this.renew();
    return socket;
  }

  private socketFor(token: string): LiveSocket {
    return new LiveSocket(this.baseUrl, this.transports, token, (event) => this.received(event));
  }

  /** Renews a refused token. After an attempt that hung, the next one begins with the other transport. */
  private async refused(error: unknown, afterMs: number): Promise<ParleyError> {
    if (!(error instanceof ParleyError)) return networkError(error);
    if (error.status === 401 && this.tokens.session) {
      return this.tokens.refresh(this.token).then(
        () => error,
        (reason: unknown) => (reason instanceof ParleyError ? reason : error),
      );
    }
    if (afterMs >= HUNG_MS) {
      this.transports = this.transports === WEBSOCKET_FIRST ? POLLING_FIRST : WEBSOCKET_FIRST;
    }
    return error;
  }

  private received(event: LiveEvent): void {
    if (event.type === 'session.expiring') void this.tokens.refresh(this.token).catch(() => undefined);
    this.events.emit(event);
  }

  private sessionChanged(): void {
    const { session } = this.tokens;
    if (!session || session.user.id !== this.userId) this.drop();
    else if (this.isLive) this.renew();
    if (this.needed) this.need();
  }

  /** Presents the present token to the server, if the connection has an older one. */
  private renew(): void {
    const token = this.tokens.session?.access_token;
    if (!token || token === this.token) return;
    this.token = token;
    this.present();
  }

  private present(timeoutMs?: number): void {
    const { token } = this;
    void this.socket?.request('auth.refresh', { token }, undefined, timeoutMs).catch(() => undefined);
  }

  private show(state: ConnectionStatus): void {
    const hasFailed = state === 'offline' && this.state !== 'offline';
    this.state = state;
    this.set(this.substitutes > 0 ? 'live' : state);
    if (hasFailed) this.failed.emit();
  }

  private drop(): void {
    this.socket?.close();
    this.socket = null;
    this.wakeUp();
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
