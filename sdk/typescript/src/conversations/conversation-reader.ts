import { ParleyError } from '../error.js';
import type { Connection } from '../live/connection.js';
import { delay } from '../platform/clock.js';
import type { ConversationPage, Rest } from '../rest/index.js';

/** How often a conversation is read over HTTP while there is no live connection. */
const POLL_MS = 3_000;

export interface ReaderEvents {
  /** @param isOrdered whether it came over the connection, in order with the events */
  read(page: ConversationPage, isOrdered: boolean): void;
  failed(error: ParleyError): void;
  /** Whether reading over HTTP would bring anything new. */
  isWaiting(): boolean;
}

/** Reads one conversation and keeps it open on the connection, so that its deltas arrive. */
export class ConversationReader {
  private active = false;
  private reading = false;
  private again = false;
  private timer?: ReturnType<typeof setTimeout>;
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly id: number,
    private readonly connection: Connection,
    private readonly rest: Rest,
    private readonly events: ReaderEvents,
  ) {}

  get isActive(): boolean {
    return this.active;
  }

  start(): void {
    if (this.active) return;
    this.active = true;
    this.unsubscribe = this.connection.opened.on(() => void this.read());
    this.connection.need();
    void this.read();
    this.pollLater();
  }

  stop(): void {
    if (!this.active) return;
    this.active = false;
    clearTimeout(this.timer);
    this.unsubscribe();
    void this.connection.request('conversation.close', { conversation_id: this.id }).catch(() => undefined);
  }

  /** Opens the conversation, again if need be; waits for the connection where there is none. */
  async read(): Promise<void> {
    this.again = true;
    if (this.reading) return;
    this.reading = true;
    while (this.again && this.active && this.connection.isLive) {
      this.again = false;
      await this.attempt(this.open());
    }
    this.reading = false;
  }

  private open(): Promise<unknown> {
    return this.connection.request('conversation.open', { conversation_id: this.id }, (page) =>
      this.events.read(page, true),
    );
  }

  private async attempt(reading: Promise<unknown>): Promise<void> {
    try {
      await reading;
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code === 'network_error') return;
      const isFinal = error.status < 500 && error.status !== 429 && error.status !== 401;
      if (isFinal) return this.events.failed(error);
      await delay((error.retryAfter ?? 1) * 1000);
      this.again = true;
    }
  }

  private pollLater(): void {
    this.timer = setTimeout(() => void this.poll(), POLL_MS);
  }

  private async poll(): Promise<void> {
    if (!this.connection.isLive && this.events.isWaiting()) {
      await this.attempt(
        this.rest.getConversation({ path: { id: this.id } }).then((page) => this.events.read(page, false)),
      );
    }
    if (this.active) this.pollLater();
  }
}
