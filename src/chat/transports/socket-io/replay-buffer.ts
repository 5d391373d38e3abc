import { randomUUID } from 'node:crypto';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { MAX_WAITING_BYTES } from '../shared/backpressure.js';

export interface BufferedEvent {
  /** Sent back by a client that reconnects after this event. */
  offset: string;
  event: ParleyEvent;
  at: number;
}

const PROCESS = randomUUID();
let created = 0;

/** A user's latest events, for recovered sockets: up to the limit of what may be buffered for one. */
export class ReplayBuffer {
  private readonly name = `${PROCESS}-${++created}`;
  private events: BufferedEvent[] = [];
  private bytes = 0;
  private count = 0;

  constructor(private readonly keepMs: number) {}

  /** @returns the event's offset */
  add(event: ParleyEvent): string {
    const offset = `${this.name}.${++this.count}`;
    this.events.push({ offset, event, at: performance.now() });
    this.bytes += event.json.length;
    while (this.bytes > MAX_WAITING_BYTES) this.dropOldest();
    this.dropOld();
    return offset;
  }

  /** @returns null if some of the events since are no longer kept */
  since(offset: string): BufferedEvent[] | null {
    const [name, number] = offset.split('.');
    const missed = this.count - Number(number);
    if (name !== this.name || !(missed >= 0 && missed <= this.events.length)) return null;
    return this.events.slice(this.events.length - missed);
  }

  dropOld(): void {
    const oldest = performance.now() - this.keepMs;
    while (this.events[0] && this.events[0].at < oldest) this.dropOldest();
  }

  private dropOldest(): void {
    this.bytes -= this.events.shift()!.event.json.length;
  }
}
