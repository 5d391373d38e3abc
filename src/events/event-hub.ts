import { Injectable } from '@nestjs/common';

export type EventType =
  | 'message.created'
  | 'message.delta'
  | 'message.completed'
  | 'message.restarted'
  | 'conversation.created'
  | 'conversation.updated'
  | 'conversation.deleted'
  | 'config.changed'
  | 'session.revoked'
  | InternalEventType;

/** What stays between the parts of the server: it closes sockets and stops replies. */
type InternalEventType = 'session.revoked' | 'account.deleted' | 'reply.stop' | 'connection.resume';
const INTERNAL = new Set<EventType>([
  'session.revoked',
  'account.deleted',
  'reply.stop',
  'connection.resume',
]);

/** One event of API.md 6. It is made once and written by every transport, so its JSON is made once too. */
export class ParleyEvent {
  /** The conversation that it happened in, if in any. */
  readonly conversationId: number | undefined;
  /** Whether clients get none of it. */
  readonly isInternal: boolean;
  #json?: string;
  #cursor?: string | (() => string);

  /** @param cursor may be left to be made when somebody asks for it: of deltas there are many, and few who do */
  constructor(
    readonly type: EventType,
    readonly body: Record<string, unknown> & { conversation_id?: number; conversation?: { id: number } },
    cursor?: string | (() => string),
  ) {
    this.conversationId = body.conversation_id ?? body.conversation?.id;
    this.isInternal = INTERNAL.has(type);
    this.#cursor = cursor;
  }

  /** Where a client that has seen this event stands in its conversation (a Last-Event-ID). */
  get cursor(): string | undefined {
    if (typeof this.#cursor === 'function') this.#cursor = this.#cursor();
    return this.#cursor;
  }

  /** The body as JSON, on one line. */
  get json(): string {
    return (this.#json ??= this.encode());
  }

  protected encode(): string {
    return JSON.stringify(this.body);
  }
}

export type EventListener = (event: ParleyEvent) => void;

/** Takes events to the other nodes and brings theirs. Without Redis there are no others. */
export abstract class EventRelay {
  abstract send(userId: number, event: ParleyEvent): void;
  /** From when this resolves, the user's events of other nodes come in. */
  abstract listen(userId: number): Promise<void>;
  abstract leave(userId: number): void;
}

/**
 * Carries what happens to a user's things to whoever listens: synchronously, in order, to every listener. Deltas, of
 * which there are more than of all else, come to who reads their conversation alone.
 */
@Injectable()
export class EventHub {
  /** By user. */
  private readonly listeners = new Map<number, Set<EventListener>>();
  /** By conversation. */
  private readonly readers = new Map<number, Set<EventListener>>();
  private relay?: EventRelay;

  connect(relay: EventRelay): void {
    this.relay = relay;
  }

  /** To this node's listeners, and to those of all others. */
  publish(userId: number, event: ParleyEvent): void {
    this.deliver(userId, event);
    this.relay?.send(userId, event);
  }

  /** To this node's listeners alone. */
  deliver(userId: number, event: ParleyEvent): void {
    const listeners =
      event.type === 'message.delta' ? this.readers.get(event.conversationId!) : this.listeners.get(userId);
    if (!listeners) return;
    for (const listener of listeners) listener(event);
  }

  deliverToAll(event: ParleyEvent): void {
    for (const userId of this.listeners.keys()) this.deliver(userId, event);
  }

  /** Whether there may be other nodes. */
  get hasRelay(): boolean {
    return this.relay !== undefined;
  }

  /** From when this resolves, a subscription also gets what happens on other nodes. */
  async whenSubscribed(userId: number): Promise<void> {
    await this.relay?.listen(userId);
  }

  /**
   * To all but deltas.
   * @returns what ends the subscription, as {@link unsubscribe} does, which leaves nothing to keep
   */
  subscribe(userId: number, listener: EventListener): () => void {
    let listeners = this.listeners.get(userId);
    if (!listeners) {
      this.listeners.set(userId, (listeners = new Set()));
      void this.whenSubscribed(userId);
    }
    listeners.add(listener);
    return () => this.unsubscribe(userId, listener);
  }

  unsubscribe(userId: number, listener: EventListener): void {
    const listeners = this.listeners.get(userId);
    if (!listeners?.delete(listener) || listeners.size > 0) return;
    this.listeners.delete(userId);
    this.relay?.leave(userId);
  }

  /**
   * To the deltas of a conversation; those of other nodes come while somebody here subscribes to its user.
   * @returns what ends it
   */
  subscribeDeltas(conversationId: number, listener: EventListener): () => void {
    let readers = this.readers.get(conversationId);
    if (!readers) this.readers.set(conversationId, (readers = new Set()));
    readers.add(listener);
    return () => {
      if (readers.delete(listener) && readers.size === 0) this.readers.delete(conversationId);
    };
  }

  /** To all that happens in one conversation. @returns what ends it */
  subscribeConversation(userId: number, conversationId: number, listener: EventListener): () => void {
    const endDeltas = this.subscribeDeltas(conversationId, listener);
    const endOthers = this.subscribe(userId, (event) => {
      if (event.conversationId === conversationId) listener(event);
    });
    return () => [endDeltas, endOthers].forEach((end) => end());
  }
}
