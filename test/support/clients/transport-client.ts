import type { SeenEvent } from './event-log.js';
import { ReplyReader } from './reply-reader.js';
import type { TestUser } from '../app/user.js';

export interface Connection {
  /** Ends it as a failing network does: without a goodbye. */
  drop(): void | Promise<void>;
}

/** A client of one conversation, over whichever transport; it keeps what a real one would: what it has read, and its place. */
export class TransportClient {
  readonly reader: ReplyReader;
  protected lastEventId?: string;

  constructor(
    name: string,
    protected user: TestUser,
    protected readonly conversationId: number,
  ) {
    this.reader = new ReplyReader(name, conversationId);
  }

  /** GET …/events, from where the client stands. */
  protected async followEvents(): Promise<Connection> {
    const { lastEventId, user, conversationId } = this;
    const headers: Record<string, string> = lastEventId ? { 'Last-Event-ID': lastEventId } : {};
    const sse = await user.sse(`/conversations/${conversationId}/events`, undefined, headers);
    this.reader.connect(`events from ${lastEventId}`, { follows: true, joinsMidway: !lastEventId });
    sse.listen((event) => this.noted(event));
    // Nothing tells of a reply that ended before: its client looks at the history.
    if (!lastEventId) this.reader.merge({ messages: await user.history(conversationId) });
    return { drop: () => sse.close() };
  }

  /** @param frame sent as soon as it is open */
  protected async openWebSocket(frame?: object): Promise<Connection> {
    const client = this.user.ws(this.conversationId);
    this.reader.connect('websocket', { follows: true });
    client.socket.on('message', (data: Buffer) => this.reader.apply(JSON.parse(data.toString())));
    await client.opened;
    if (frame) await client.send(frame);
    return { drop: () => client.socket.terminate() };
  }

  protected noted(event: SeenEvent): void {
    if (typeof event.id === 'string') this.lastEventId = event.id;
    this.reader.apply(event);
  }
}
