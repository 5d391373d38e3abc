import { setImmediate as turn } from 'node:timers/promises';
import { TransportClient, type Connection } from './transport-client.js';
import type { Thing } from './http.js';
import type { TestUser } from '../app/user.js';

export type Transport = 'post' | 'events' | 'socket.io' | 'websocket';

/** What comes is promised, not when: on a busy machine the played provider's single bytes take their time. */
const PATIENCE_MS = 60_000;

/** A stay with the server: over which transport, and for how many events, on each of its connections. */
export interface Stay {
  transport: Transport;
  /** Which of the nodes it is at, where there are several. */
  node?: number;
  /** Several where the connection breaks and is recovered (Socket.IO) or taken up again (SSE). */
  events: number[];
}

export interface SentMessage {
  content: string;
  client_message_id: string;
}

/** A client that comes and goes, over one transport after another. */
export class RovingClient extends TransportClient {
  /** How often it left in the middle of the reply. */
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

  /** Stays until the reply has ended. */
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

  /** @param replays whether what is known comes again, and with it the end */
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

  /** A repeat of the send, which joins the first one's reply. */
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
      // From here on, as what was missed comes before `connect`.
      // Recovered before its command was acknowledged, it gets text of a message that it has not been told of.
      this.reader.connect('socket.io again', { joinsMidway: !opened });
      io.io.engine.close();
      await turn();
    }
    io.disconnect();
  }
}
