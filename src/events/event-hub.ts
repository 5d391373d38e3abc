import { Injectable } from '@nestjs/common';
import type { EventListener, ParleyEvent } from './parley-event.js';

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
}
