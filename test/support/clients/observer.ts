import type { Socket } from 'socket.io-client';
import type { ChatModel } from '../model/chat-model.js';
import { TransportClient, type Connection } from './transport-client.js';
import type { Thing } from './http.js';

export type ObserverTransport = 'events' | 'socket.io' | 'websocket';

/** Observer of a conversation with reconnects, whose view must match the model. */
export class Observer extends TransportClient {
  transport: ObserverTransport | null = null;
  private lastTransport: ObserverTransport = 'socket.io';
  private connection?: Connection;
  /** Kept across disconnects, so that the session can be recovered. */
  private socket?: Socket;
  private opened = false;

  async connect(transport: ObserverTransport, model: ChatModel): Promise<void> {
    const expected = await this.join(transport, model);
    this.transport = this.lastTransport = transport;
    await this.agree(model, expected);
  }

  /** Reconnects over the same transport, possibly recovering the session. */
  async reconnect(model: ChatModel): Promise<void> {
    if (!this.transport) await this.connect(this.lastTransport, model);
  }

  /** Breaks the connection. */
  async drop(): Promise<void> {
    this.transport = null;
    await this.connection?.drop();
    this.connection = undefined;
  }

  /** Forgets the session, which the server lost. */
  async lose(): Promise<void> {
    await this.drop();
    this.socket = undefined;
  }

  /** Waits until the view matches the model and contains the expected messages. */
  async agree(model: ChatModel, expected: number[] = []): Promise<void> {
    if (!this.transport) return;
    const { reader } = this;
    const knows = () => expected.every((id) => reader.messages.has(id));
    const isRight = () => [...reader.messages.values()].every((shown) => sameAs(shown, model));
    const state = () => JSON.stringify([[...reader.messages.values()], model.messages]);
    await reader
      .until(() => knows() && isRight(), 'the model’s view', 5000)
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${state()}`);
      });
  }

  /** @returns the messages that the view must contain */
  private async join(transport: ObserverTransport, model: ChatModel): Promise<number[]> {
    const newest = Math.max(0, ...this.reader.messages.keys());
    const since = model.messages.map(({ id }) => id).filter((id) => id > newest);
    const branch = model.branch.map(({ id }) => id);
    if (transport === 'socket.io') return (await this.joinSocket()) ? since : branch;
    const resumes = transport === 'events' && this.lastEventId !== undefined;
    this.connection = await (transport === 'events' ? this.followEvents() : this.openWebSocket());
    return resumes ? since : branch;
  }

  /** @returns whether an earlier session was recovered */
  private async joinSocket(): Promise<boolean> {
    this.reader.connect('socket.io');
    const io = (this.socket ??= this.newSocket());
    const connected = new Promise((resolve) => io.once('connect', () => resolve(undefined)));
    if (!io.connected) await Promise.all([io.connect(), connected]);
    this.connection = { drop: () => void io.io.engine.close() };
    if (io.recovered && this.opened) return true;
    const body = { conversation_id: this.conversationId };
    return new Promise((resolve) =>
      io.emit('conversation.open', body, (ack: Thing) => {
        this.opened = ack.ok === true;
        this.reader.apply({ ...ack, type: 'ack' });
        resolve(false);
      }),
    );
  }

  private newSocket(): Socket {
    this.opened = false;
    const { io } = this.user.recoveringSocket({ autoConnect: false, reconnection: false });
    io.onAny((type: string, body: object) => this.reader.apply({ ...body, type }));
    return io;
  }
}

function sameAs(shown: { id: number; status: string; content: string; reasoning: string }, model: ChatModel) {
  const { status, content, reasoning } = model.get(shown.id) ?? {};
  return shown.status === status && shown.content === content && shown.reasoning === reasoning;
}
