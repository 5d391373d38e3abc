import type { Response } from 'express';
import { writePieces } from '../../../common/http/server/send-pieces.js';
import { isLarge, jsonPieces, yieldBetweenPieces } from '../../../common/json/json-pieces.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { Backpressure, type Outlet } from '../shared/backpressure.js';
import { jsonWithType } from '../../events/chat.events.js';
import type { StreamClient } from '../../streams/conversation-stream.js';
import type { ReplyClient } from '../../streams/reply-stream.js';
import { encodeOnce } from '../shared/encode-once.js';

/** Proxies close connections that are idle for about a minute. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT = Buffer.from(': keep-alive\n\n');

/** A response as server-sent events (WHATWG HTML, section 9.2). */
export class EventStreamResponse implements Outlet, StreamClient, ReplyClient {
  private heartbeat?: NodeJS.Timeout;
  private readonly backpressure = new Backpressure(this);
  private readonly endings: (() => void)[] = [];
  private open = true;
  private live = false;
  /** Whether an event is being written in pieces. */
  private writing = false;

  /** @param isLast whether the stream ends after an event */
  constructor(
    private readonly response: Response,
    private readonly isLast: (event: ParleyEvent) => boolean = () => false,
  ) {
    // A response that is destroyed already emits no `close`.
    if (response.destroyed) this.open = false;
    else this.begin();
  }

  get bufferedAmount(): number {
    return this.response.writableLength;
  }

  /** Limits what may wait for the client from now on: everything before was sent to catch up. */
  goLive(): void {
    this.backpressure.resetAllowance();
    this.live = true;
  }

  readonly send = (event: ParleyEvent): void => {
    if (!this.open || event.isInternal) return;
    const frame = encodeFrame(event);
    const hasRoom = this.live
      ? this.backpressure.hasRoomFor(frame.length)
      : this.backpressure.hasRoomForMissed();
    if (!hasRoom) return this.cut();
    this.response.write(frame);
    if (this.isLast(event)) this.end();
  };

  /** Writes an event that the client missed, at its pace. @returns false once the client has left */
  readonly write = async (event: ParleyEvent): Promise<boolean> => {
    this.writing = true;
    const written = await writePieces(this.response, yieldBetweenPieces(piecesOf(event)));
    this.writing = false;
    if (this.isLast(event)) this.end();
    return written;
  };

  /** Registers a callback for the end of the stream, on either side. Called once, at once if the stream has ended. */
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
      // Disables nginx's response buffering.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
    this.heartbeat = setInterval(() => this.beat(), HEARTBEAT_MS).unref();
    // Node leaves the response to a HEAD request open until it is ended.
    if (response.req.method === 'HEAD') this.end();
  }

  /** Skipped while an event is written in pieces. */
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

/** As bytes, so that backpressure counts bytes. */
const encodeFrame = encodeOnce((event) => Buffer.from(textOf(event)));

function* piecesOf(event: ParleyEvent): Generator<string> {
  const { type, body } = event;
  if (!isLarge(body)) return yield textOf(event);
  yield headOf(event);
  yield* jsonPieces({ type, ...body });
  yield '\n\n';
}
