import { ParleyError } from '../error.js';
import { withTimeout } from '../http/timeout.js';
import type { Connection } from '../live/connection.js';
import { delay } from '../platform/clock.js';
import type { ConversationPage, Rest } from '../rest/index.js';
import type { Branch } from './branch.js';
import type { ConversationServices } from './services.js';
import { SubstituteStream } from './substitute-stream.js';

/** How often a conversation is read over HTTP while no events arrive. */
const POLL_MS = 3_000;
/** How long a conversation stays open that nobody uses any more. */
const LINGER_MS = 1_000;
/** The longest wait before a failed read is repeated. */
const MAX_WAIT_MS = 30_000;

export interface ReaderEvents {
  /** Captures what is known when a page is requested over HTTP. */
  begin(): Branch;
  /** @param basis what was known when the page was requested; absent for a page in order with the events */
  read(page: ConversationPage, basis?: Branch): void;
  failed(error: ParleyError): void;
  /** Whether reading over HTTP would bring anything new. */
  isWaiting(): boolean;
}

/** Reads one conversation and keeps it open on the connection, so that its deltas arrive. */
export class ConversationReader {
  private active = false;
  /** Counts stops, so that what was read before one is dropped: somebody else may be signed in. */
  private run = 0;
  private reading = false;
  private again = false;
  private timer?: ReturnType<typeof setTimeout>;
  private linger?: ReturnType<typeof setTimeout>;
  private endings: (() => void)[] = [];
  private readonly connection: Connection;
  private readonly rest: Rest;
  private readonly substitute: SubstituteStream;

  constructor(
    private readonly id: number,
    { connection, rest, requestEvents }: ConversationServices,
    private readonly events: ReaderEvents,
  ) {
    this.connection = connection;
    this.rest = rest;
    this.substitute = new SubstituteStream(`/conversations/${id}/events`, requestEvents, connection, {
      received: (event) => connection.events.emit(event),
      began: () => void this.read(),
    });
  }

  /** Whether the conversation's events arrive. */
  get isFollowing(): boolean {
    return this.active && (this.connection.isLive || this.substitute.isFlowing);
  }

  start(): void {
    if (this.active) return;
    this.active = true;
    const { connection } = this;
    this.endings = [
      connection.opened.on(() => this.wentLive()),
      connection.failed.on(() => this.substitute.start()),
      connection.woken.on(() => this.substitute.wake()),
    ];
    connection.need();
    if (connection.hasFailed) this.substitute.start();
    void this.read();
    this.pollLater();
  }

  /** Stops in a moment, if it is unused then. */
  stopLater(isUnused: () => boolean): void {
    clearTimeout(this.linger);
    if (this.active) this.linger = setTimeout(() => isUnused() && this.stop(), LINGER_MS);
  }

  stop(): void {
    clearTimeout(this.linger);
    if (!this.active) return;
    this.active = false;
    this.run++;
    clearTimeout(this.timer);
    this.endings.forEach((end) => end());
    this.substitute.stop();
    void this.connection.request('conversation.close', { conversation_id: this.id }).catch(() => undefined);
  }

  /** Reads the conversation, again if need be; waits for the connection where there is none. */
  async read(): Promise<void> {
    this.again = true;
    if (this.reading) return;
    this.reading = true;
    while (this.again && this.active && this.isConnected) {
      this.again = false;
      await this.attempt(this.connection.isLive ? this.open() : this.readOverHttp());
    }
    this.reading = false;
  }

  /** Reads a page over HTTP, by default the newest. */
  readPage(query?: { before_id: number; limit: number }): Promise<ConversationPage> {
    return withTimeout((signal) => this.rest.getConversation({ path: { id: this.id }, query, signal }));
  }

  private get isConnected(): boolean {
    return this.connection.isLive || this.substitute.isOpen;
  }

  private wentLive(): void {
    this.substitute.stop();
    void this.read();
  }

  private open(): Promise<unknown> {
    return this.connection.request('conversation.open', { conversation_id: this.id }, (page) =>
      this.events.read(page),
    );
  }

  private async attempt(reading: Promise<unknown>): Promise<void> {
    try {
      await reading;
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code === 'network_error') return;
      const isFinal = error.status < 500 && error.status !== 429 && error.status !== 401;
      if (isFinal) return this.events.failed(error);
      await delay(Math.min(MAX_WAIT_MS, (error.retryAfter ?? 1) * 1000));
      this.again = true;
    }
  }

  private pollLater(): void {
    this.timer = setTimeout(() => void this.poll(), POLL_MS);
  }

  /** Ends early once the connection is live: after a change of network, HTTP connections may hang. */
  private readOverHttp(): Promise<void> {
    const { run } = this;
    const basis = this.events.begin();
    return new Promise((resolve, reject) => {
      const unsubscribe = this.connection.opened.on(resolve);
      this.readPage()
        .then((page) => this.active && run === this.run && this.events.read(page, basis))
        .finally(unsubscribe)
        .then(() => resolve(), reject);
    });
  }

  /** Also begins the substitute where an attempt to connect hangs. */
  private async poll(): Promise<void> {
    if (!this.connection.isLive) this.substitute.start();
    if (!this.isFollowing && this.events.isWaiting()) await this.attempt(this.readOverHttp());
    if (this.active) this.pollLater();
  }
}
