import { Injectable, OnModuleDestroy } from '@nestjs/common';

/** More than this never waits for one client. Bytes. */
export const MAX_WAITING_BYTES = 1024 * 1024;
/** A client that takes nothing of what waits for it is cut after this. */
const STALL_MS = 10_000;
const CHECK_INTERVAL_MS = 250;

export interface Outlet {
  /** Bytes that wait in this process for the client to take. */
  waiting(): number;
  /** Bytes that it has taken, ever: while they rise, it reads. */
  taken(): number;
  cut(): void;
}

interface Progress {
  taken: number;
  since: number;
}

/** Cuts clients that stop reading, so that nothing waits on them and memory stays bounded. They may come back. */
@Injectable()
export class SlowReaders implements OnModuleDestroy {
  private readonly outlets = new Map<Outlet, Progress>();
  private readonly timer = setInterval(() => this.check(), CHECK_INTERVAL_MS).unref();

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** @returns what ends the watch */
  watch(outlet: Outlet): () => void {
    this.outlets.set(outlet, { taken: -1, since: performance.now() });
    return () => this.outlets.delete(outlet);
  }

  private check(): void {
    const now = performance.now();
    for (const [outlet, progress] of this.outlets) {
      const waiting = outlet.waiting();
      const taken = outlet.taken();
      if (waiting === 0 || taken !== progress.taken) Object.assign(progress, { taken, since: now });
      if (waiting <= MAX_WAITING_BYTES && now - progress.since < STALL_MS) continue;
      this.outlets.delete(outlet);
      outlet.cut();
    }
  }
}
