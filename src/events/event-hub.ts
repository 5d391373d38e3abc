import { Injectable } from '@nestjs/common';
import type { EventListener, ParleyEvent } from './parley-event.js';

/** Exchanges events with other nodes. Absent without Redis. */
export abstract class EventRelay {
  abstract send(userId: number, event: ParleyEvent): void;
  /** Resolves once the user's events of other nodes are received. */
  abstract listen(userId: number): Promise<void>;
  abstract leave(userId: number): void;
}

/**
 * In-process pub/sub: synchronous, ordered, per user. Deltas, the most frequent events, are delivered only to
 * subscribers of their conversation.
 */
@Injectable()
export class EventHub {
  /** By user. */
  private readonly listeners = new Map<number, Set<EventListener>>();
  /** By conversation. */
  private readonly deltaListeners = new Map<number, Set<EventListener>>();
  private relay?: EventRelay;

  connect(relay: EventRelay): void {
    this.relay = relay;
  }

  /** Delivers to this node's listeners and sends to other nodes. */
  publish(userId: number, event: ParleyEvent): void {
    this.deliver(userId, event);
    this.relay?.send(userId, event);
  }

  /** Delivers to this node's listeners only. */
  deliver(userId: number, event: ParleyEvent): void {
    const listeners =
      event.type === 'message.delta'
        ? this.deltaListeners.get(event.conversationId!)
        : this.listeners.get(userId);
    if (!listeners) return;
    for (const listener of listeners) listener(event);
  }

  deliverToAll(event: ParleyEvent): void {
    for (const userId of this.listeners.keys()) this.deliver(userId, event);
  }

  /** The users with a subscription on this node. */
  subscribedUsers(): number[] {
    return [...this.listeners.keys()];
  }

  /** Whether other nodes may exist. */
  get hasRelay(): boolean {
    return this.relay !== undefined;
  }

  /** Resolves once a subscription also receives events of other nodes. */
  async whenSubscribed(userId: number): Promise<void> {
    await this.relay?.listen(userId);
  }

  /**
   * Subscribes to a user's events, except deltas.
   * @returns ends the subscription, like {@link unsubscribe}
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
   * Subscribes to a conversation's deltas. Those of other nodes require a subscription to its user.
   * @returns ends the subscription
   */
  subscribeDeltas(conversationId: number, listener: EventListener): () => void {
    let listeners = this.deltaListeners.get(conversationId);
    if (!listeners) this.deltaListeners.set(conversationId, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.deltaListeners.delete(conversationId);
    };
  }
}
