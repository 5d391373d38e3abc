import type { Response } from 'express';
import { yieldBetweenPieces, isLarge, jsonPieces } from '../../../common/json/json-pieces.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { Backpressure, type Outlet } from '../shared/backpressure.js';
import { jsonWithType } from '../../events/chat.events.js';

/** Proxies close what is silent for a minute or so. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = Buffer.from(': keep-alive\n\n');

/** A response as server-sent events (WHATWG HTML, section 9.2). */
export class EventStreamResponse implements Outlet {
  private heartbeat?: NodeJS.Timeout;
  private readonly backpressure = new Backpressure(this);
  private readonly endings: (() => void)[] = [];
  private open = true;
  private live = false;
  /** Whether an event is on its way in pieces. */
  private writing = false;

  constructor(private readonly response: Response) {
    // The client may be gone by now, and then no `close` would tell.
    if (response.destroyed) this.open = false;
    else this.begin();
  }

  get bufferedAmount(): number {
    return this.response.writableLength;
  }

  /** From the next event on the client has to keep up. What came before is what it had missed. */
  goLive(): void {
    this.backpressure.resetAllowance();
    this.live = true;
  }

  send(event: ParleyEvent): void {
    if (!this.open || event.isInternal) return;
    // Bytes rather than text, so that what waits is counted in bytes.
    const frame = event.type === 'message.delta' ? frameOf(event) : sharedFrameOf(event);
    const hasRoom = this.live
      ? this.backpressure.hasRoomFor(frame.length)
      : this.backpressure.hasRoomForMissed();
    if (hasRoom) this.response.write(frame);
    else this.cut();
  }

  /** Sends what the client has missed, as it reads. @returns whether it is still there */
  async write(event: ParleyEvent): Promise<boolean> {
    this.writing = true;
    for await (const piece of yieldBetweenPieces(piecesOf(event))) {
      if (this.open && !this.response.write(piece)) await this.drained();
      if (!this.open) break;
    }
    this.writing = false;
    return this.open;
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

  private drained(): Promise<void> {
    const { response } = this;
    return new Promise((resolve) => {
      const settle = () => {
        response.off('drain', settle).off('close', settle);
        resolve();
      };
      response.on('drain', settle).on('close', settle);
    });
  }

  private cut(): void {
    this.response.destroy();
    this.end();
  }

  private begin(): void {
    const { response } = this;
    response.once('close', () => this.end());
    response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store, no-transform',
      // nginx would collect events before passing them on.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS).unref();
    // Node sends HEAD's headers and no more, for as long as the response is not ended.
    if (response.req.method === 'HEAD') this.end();
  }

  /** Not into the middle of an event. */
  private beat(): void {
    if (!this.writing) this.response.write(HEARTBEAT);
  }
}

function headOf({ cursor, type }: ParleyEvent): string {
  return `${cursor ? `id: ${cursor}\n` : ''}event: ${type}\ndata: `;
}

function textOf(event: ParleyEvent): string {
  return `${headOf(event)}${jsonWithType(event.type, event.json)}\n\n`;
}

function frameOf(event: ParleyEvent): Buffer {
  return Buffer.from(textOf(event));
}

/** Of events that go to several streams, of which some are megabytes long. */
const frames = new WeakMap<ParleyEvent, Buffer>();

function sharedFrameOf(event: ParleyEvent): Buffer {
  let frame = frames.get(event);
  if (!frame) frames.set(event, (frame = frameOf(event)));
  return frame;
}

function* piecesOf(event: ParleyEvent): Generator<string> {
  const { type, body } = event;
  if (!isLarge(body)) return yield textOf(event);
  yield headOf(event);
  yield* jsonPieces({ type, ...body });
  yield '\n\n';
}
