import type { Socket } from 'socket.io-client';
import type { ChatModel } from '../model/chat-model.js';
import { FaceClient, type Connection } from './face-client.js';
import type { Thing } from './http.js';

export type ObserverFace = 'events' | 'socket.io' | 'websocket';

/** Somebody who follows a conversation, with breaks, and must always come to see it as the model does. */
export class Observer extends FaceClient {
  face: ObserverFace | null = null;
  private lastFace: ObserverFace = 'socket.io';
  private connection?: Connection;
  /** Kept over a broken line, so that its session may be recovered. */
  private socket?: Socket;
  private opened = false;

  async connect(face: ObserverFace, model: ChatModel): Promise<void> {
    const expected = await this.join(face, model);
    this.face = this.lastFace = face;
    await this.agree(model, expected);
  }

  /** Over the face that it had, whose session may be recovered. */
  async reconnect(model: ChatModel): Promise<void> {
    if (!this.face) await this.connect(this.lastFace, model);
  }

  /** The line breaks. */
  async drop(): Promise<void> {
    this.face = null;
    await this.connection?.drop();
    this.connection = undefined;
  }

  /** The server is gone, and with it what it knew of sessions. */
  async lose(): Promise<void> {
    await this.drop();
    this.socket = undefined;
  }

  /** Waits until all that it shows is as the model has it, and the expected messages are among it. */
  async agree(model: ChatModel, expected: number[] = []): Promise<void> {
    if (!this.face) return;
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

  /** @returns the messages that it has to know of then */
  private async join(face: ObserverFace, model: ChatModel): Promise<number[]> {
    const newest = Math.max(0, ...this.reader.messages.keys());
    const since = model.messages.map(({ id }) => id).filter((id) => id > newest);
    const branch = model.branch.map(({ id }) => id);
    if (face === 'socket.io') return (await this.joinSocket()) ? since : branch;
    const resumes = face === 'events' && this.lastEventId !== undefined;
    this.connection = await (face === 'events' ? this.followEvents() : this.openWebSocket());
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
    const ack: Thing = await io.emitWithAck('conversation.open', { conversation_id: this.conversationId });
    this.opened = ack.ok === true;
    this.reader.apply({ ...ack, type: 'ack' });
    return false;
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
