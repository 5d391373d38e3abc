import { EventEmitter } from 'node:events';

/** Event as received over any transport: its type beside its body. */
export interface SeenEvent {
  type: string;
  [member: string]: unknown;
}

/** Log of received events, with a way to wait for more. */
export class EventLog<E extends { type?: unknown } = SeenEvent> {
  readonly events: E[] = [];
  private readonly changes = new EventEmitter().setMaxListeners(0);
  private ending?: string;

  /** @param name the connection's name in errors */
  constructor(private readonly name: string) {}

  push(event: E): void {
    this.events.push(event);
    this.changes.emit('change');
  }

  /** Ends the log; pending waits fail. */
  end(reason: string): void {
    this.ending ??= reason;
    this.changes.emit('change');
  }

  /** Resolves with the first matching event from the given index on. */
  async until(predicate: (event: E) => boolean, timeoutMs = 10_000, from = 0): Promise<E> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => settle(() => reject(new Error(this.complaint(predicate, why))));
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      const settle = (finish: () => void) => {
        clearTimeout(timer);
        this.changes.off('change', look);
        finish();
      };
      const look = () => {
        const found = this.events.slice(from).find(predicate);
        if (found) settle(() => resolve(found));
        else if (this.ending) fail(this.ending);
      };
      this.changes.on('change', look);
      look();
    });
  }

  private complaint(predicate: (event: E) => boolean, why: string): string {
    const seen = this.events.map(({ type }) => String(type)).slice(-20);
    return `${this.name}: ${why} without ${predicate.toString()}; its last events: ${seen.join(', ') || 'none'}`;
  }
}

/** Rejects with `complaint` when the promise takes longer than `timeoutMs`. */
export async function within<T>(promise: Promise<T>, complaint: string, timeoutMs = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${complaint} within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}
