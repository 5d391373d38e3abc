import { setImmediate as immediate } from 'node:timers/promises';
import { TransportClient, type Connection } from './transport-client.js';
import type { Thing } from './http.js';
import type { TestUser } from '../app/user.js';

export type Transport = 'post' | 'events' | 'socket.io' | 'websocket';

/** Generous, as the played provider's single bytes are slow under load. */
const PATIENCE_MS = 60_000;

/** Visit: a transport, and the number of events per connection. */
export interface Stay {
  transport: Transport;
  /** Index of the node. */
  node?: number;
  /** More than one if the connection breaks and is recovered (Socket.IO) or resumed (SSE). */
  events: number[];
}

export interface SentMessage {
  content: string;
  client_message_id: string;
}

/** Client that reconnects over changing transports. */
export class RovingClient extends TransportClient {
  /** Number of disconnects during the reply. */
  drops = 0;

  /**
   * @param nodes the user at each of the nodes
   * @param message sent with the first stay, and again until it is known to have arrived; else it only reads
   */
  constructor(
    name: string,
    private readonly nodes: TestUser[],
    conversationId: number,
    private readonly message: SentMessage,
    private readonly sends: boolean,
  ) {
    super(name, nodes[0]!, conversationId);
  }

  async stay({ transport, events, node = 0 }: Stay): Promise<void> {
    this.user = this.nodes[node % this.nodes.length]!;
    if (transport === 'socket.io') return this.stayOnSocket(events);
    for (const count of events) {
      const replays = transport === 'post' || (transport === 'events' && this.standsMidway);
      const connection = await this.connect(transport);
      await this.listen(count, replays);
      await connection.drop();
    }
  }

  /** Stays connected until the reply has ended. */
  async stayOn(transport: Transport, node?: number): Promise<void> {
    await this.stay({ transport, events: [Infinity], node });
  }

  private get standsMidway(): boolean {
    if (!this.lastEventId) return false;
    const { id } = this.reader.reply ?? { id: 0 };
    return !(this.lastEventId.startsWith(`${id}.`) && this.lastEventId.endsWith('.done'));
  }

  private get hasToSend(): boolean {
    return this.sends && !this.reader.reply;
  }

  /** @param replays whether known events, the end included, are sent again */
  private async listen(count: number, replays: boolean): Promise<void> {
    const { reader } = this;
    const isOver = () => (replays ? reader.endedHere : reader.ended);
    await reader.until(
      () => reader.received >= count || isOver(),
      `${count} events, or the end,`,
      PATIENCE_MS,
    );
    if (!isOver()) this.drops++;
  }

  private async connect(transport: Exclude<Transport, 'socket.io'>): Promise<Connection> {
    if (transport === 'post') return this.post();
    const { hasToSend, message } = this;
    if (transport === 'websocket')
      return this.openWebSocket(hasToSend ? { type: 'chat.send', id: 1, ...message } : undefined);
    if (hasToSend) void this.user.send(this.conversationId, message.content, message);
    return this.followEvents();
  }

  /** Repeats the send, which joins the running reply. */
  private async post(): Promise<Connection> {
    const sse = await this.user.sse(`/conversations/${this.conversationId}/chat`, this.message);
    this.reader.connect('post', { follows: true });
    sse.listen((event) => this.noted(event));
    return { drop: () => sse.close() };
  }

  private async stayOnSocket(stays: number[]): Promise<void> {
    const { io } = this.user.recoveringSocket({
      reconnection: true,
      reconnectionDelay: 1,
      reconnectionDelayMax: 5,
    });
    this.reader.connect('socket.io');
    let opened = false;
    io.onAny((type: string, body: object) => this.reader.apply({ ...body, type }));
    io.on('connect', () => {
      if (io.recovered && opened) return;
      opened = false;
      const [command, body] = this.hasToSend ? ['chat.send', this.message] : ['conversation.open', {}];
      io.emit(command, { conversation_id: this.conversationId, ...body }, (ack: Thing) => {
        opened = true;
        this.reader.apply({ ...ack, type: 'ack' });
      });
    });
    for (const [index, count] of stays.entries()) {
      await this.listen(count, false);
      if (index === stays.length - 1) break;
      // Counted from here, as missed events arrive before `connect`.
      // A client recovered before its acknowledgement receives text of an unknown message.
      this.reader.connect('socket.io again', { joinsMidway: !opened });
      io.io.engine.close();
      await immediate();
    }
    io.disconnect();
  }
}
