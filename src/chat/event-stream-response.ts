import type { Response } from 'express';
import type { ParleyEvent } from '../events/event-hub.js';
import { MAX_WAITING_BYTES, SlowReaders } from './slow-readers.js';

/** Proxies close what is silent for a minute or so. */
const HEARTBEAT_MS = 15_000;

/** A response as server-sent events (WHATWG HTML, section 9.2). */
export class EventStreamResponse {
  private readonly heartbeat: NodeJS.Timeout;
  private readonly endings: (() => void)[] = [];
  private open = true;

  constructor(
    private readonly response: Response,
    slowReaders: SlowReaders,
  ) {
    response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      // nginx would collect events before passing them on.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    this.heartbeat = setInterval(() => response.write(': keep-alive\n\n'), HEARTBEAT_MS).unref();
    this.onEnd(slowReaders.watch(this.outlet()));
    response.once('close', () => this.end());
  }

  send(event: ParleyEvent): void {
    if (!this.open) return;
    const id = event.cursor ? `id: ${event.cursor}\n` : '';
    this.response.write(`${id}event: ${event.type}\ndata: ${event.json}\n\n`);
    if (this.response.writableLength > MAX_WAITING_BYTES) this.response.destroy();
  }

  /** Called once, when the stream ends, from whichever side. */
  onEnd(ending: () => void): void {
    if (this.open) this.endings.push(ending);
    else ending();
  }

  end(): void {
    if (!this.open) return;
    this.open = false;
    clearInterval(this.heartbeat);
    this.endings.forEach((ending) => ending());
    this.response.end();
  }

  private outlet() {
    const { response } = this;
    return {
      waiting: () => response.writableLength,
      taken: () => (response.socket?.bytesWritten ?? 0) - (response.socket?.writableLength ?? 0),
      cut: () => response.destroy(),
    };
  }
}
