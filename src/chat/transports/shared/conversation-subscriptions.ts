import type { EventHub } from '../../../events/event-hub.js';
import type { EventListener } from '../../../events/parley-event.js';

/** The conversations that one socket has open: it gets their deltas, until it is closed. */
export class ConversationSubscriptions {
  /** What ends each. */
  private readonly ends = new Map<number, () => void>();
  private closed = false;

  constructor(
    private readonly hub: EventHub,
    private readonly listener: EventListener,
  ) {}

  get ids(): number[] {
    return [...this.ends.keys()];
  }

  has(id: number): boolean {
    return this.ends.has(id);
  }

  /** Does nothing once all are closed: a command may end after its socket. */
  open(id: number): void {
    if (!this.closed && !this.ends.has(id)) this.ends.set(id, this.hub.subscribeDeltas(id, this.listener));
  }

  close(id: number): void {
    this.ends.get(id)?.();
    this.ends.delete(id);
  }

  closeAll(): void {
    this.closed = true;
    for (const id of this.ids) this.close(id);
  }
}
