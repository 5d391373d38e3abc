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
  | 'account.deleted';

/**
 * One event of API.md 6 (`session.revoked` and `account.deleted`, which close sockets and stop replies, stay inside). It is made once and written
 * by every face, so its JSON is made once too.
 */
export class ParleyEvent {
  #json?: string;

  constructor(
    readonly type: EventType,
    readonly body: Record<string, unknown> & { conversation_id?: number; conversation?: { id: number } },
    /** Where a client that has seen this event stands in its conversation (a Last-Event-ID). */
    readonly cursor?: string,
  ) {}

  /** The conversation that it happened in, if in any. */
  get conversationId(): number | undefined {
    return this.body.conversation_id ?? this.body.conversation?.id;
  }

  /** The body as JSON, on one line. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.body));
  }
}

export type EventListener = (event: ParleyEvent) => void;

/** Carries what happens to a user's things to whoever listens: synchronously, in order, to every listener. */
@Injectable()
export class EventHub {
  private readonly listeners = new Map<number, Set<EventListener>>();

  publish(userId: number, event: ParleyEvent): void {
    const listeners = this.listeners.get(userId);
    if (!listeners) return;
    for (const listener of listeners) listener(event);
  }

  /** @returns what ends the subscription */
  subscribe(userId: number, listener: EventListener): () => void {
    let listeners = this.listeners.get(userId);
    if (!listeners) this.listeners.set(userId, (listeners = new Set()));
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.listeners.get(userId) === listeners) this.listeners.delete(userId);
    };
  }
}
