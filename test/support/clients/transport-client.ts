import type { SeenEvent } from './event-log.js';
import { ReplyReader } from './reply-reader.js';
import type { TestUser } from '../app/user.js';

export interface Connection {
  /** Drops the connection like a failing network. */
  drop(): void | Promise<void>;
}

/** Client of one conversation over any transport; keeps its view and its position. */
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

  /** GET …/events, from the client's position. */
  protected async followEvents(): Promise<Connection> {
    const { lastEventId, user, conversationId } = this;
    const headers: Record<string, string> = lastEventId ? { 'Last-Event-ID': lastEventId } : {};
    const sse = await user.sse(`/conversations/${conversationId}/events`, undefined, headers);
    this.reader.connect(`events from ${lastEventId}`, { follows: true, joinsMidway: !lastEventId });
    sse.listen((event) => this.noted(event));
    // No event announces a reply that ended before, so the client reads the history.
    if (!lastEventId) this.reader.merge({ messages: await user.history(conversationId) });
    return { drop: () => sse.close() };
  }

  /** @param frame sent once the socket is open */
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
