import type { EventHub } from '../../events/event-hub.js';
import type { EventListener } from '../../events/parley-event.js';

/** One listener's events: those of its user, and the deltas of the conversations that are open. */
export class Subscription {
  /** The functions that end the deltas, by conversation. Created with the first one. */
  private deltas?: Map<number, () => void>;
  private ended = false;

  constructor(
    private readonly hub: EventHub,
    private readonly userId: number,
    private readonly listener: EventListener,
  ) {
    hub.subscribe(userId, listener);
  }

  /** Resolves once events of other nodes are delivered too. */
  whenReady(): Promise<void> {
    return this.hub.whenSubscribed(this.userId);
  }

  get openConversations(): number[] {
    return [...(this.deltas?.keys() ?? [])];
  }

  isOpen(conversationId: number): boolean {
    return this.deltas?.has(conversationId) ?? false;
  }

  /** Delivers the conversation's deltas from now on. No effect after {@link end}: a command may outlast its connection. */
  open(conversationId: number): void {
    if (this.ended || this.isOpen(conversationId)) return;
    this.deltas ??= new Map();
    this.deltas.set(conversationId, this.hub.subscribeDeltas(conversationId, this.listener));
  }

  close(conversationId: number): void {
    this.deltas?.get(conversationId)?.();
    this.deltas?.delete(conversationId);
  }

  end(): void {
    this.ended = true;
    this.hub.unsubscribe(this.userId, this.listener);
    this.openConversations.forEach((id) => this.close(id));
  }
}
