import { Injectable } from '@nestjs/common';
import { Budget, Consumption, LimitStore, WindowUsage } from './limit-store.js';

interface Window {
  used: number;
  endsAt: number;
}

/** Keeps the budgets of one process in memory. */
@Injectable()
export class MemoryLimitStore extends LimitStore {
  /**
   * By window length, then key. Windows of one length end in their order of insertion, which a Map keeps, so that
   * ended windows are deleted from the front without a timer or a scan.
   */
  private readonly windows = new Map<number, Map<string, Window>>();

  override tryConsume(key: string, { limit, windowMs }: Budget): Consumption {
    const now = performance.now();
    const windows = this.currentWindows(windowMs, now);
    let window = windows.get(key);
    if (!window) windows.set(key, (window = { used: 0, endsAt: now + windowMs }));
    const allowed = window.used < limit;
    if (allowed) window.used += 1;
    return { allowed, used: window.used, resetMs: window.endsAt - now };
  }

  override refund(key: string, windowMs: number): void {
    const window = this.currentWindows(windowMs, performance.now()).get(key);
    if (window && window.used > 0) window.used -= 1;
  }

  override usage(key: string, windowMs: number): WindowUsage {
    const now = performance.now();
    const window = this.currentWindows(windowMs, now).get(key);
    return { used: window?.used ?? 0, resetMs: window ? window.endsAt - now : 0 };
  }

  /** Number of keys held. */
  get size(): number {
    return [...this.windows.values()].reduce((sum, windows) => sum + windows.size, 0);
  }

  private currentWindows(windowMs: number, now: number): Map<string, Window> {
    let windows = this.windows.get(windowMs);
    if (!windows) this.windows.set(windowMs, (windows = new Map()));
    for (const [key, window] of windows) {
      if (window.endsAt > now) break;
      windows.delete(key);
    }
    return windows;
  }
}
