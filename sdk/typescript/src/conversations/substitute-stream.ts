import { ParleyError } from '../error.js';
import { readEvents, type RequestEvents } from '../http/event-stream.js';
import type { Connection } from '../live/connection.js';
import type { LiveEvent } from '../live/events.js';
import { Backoff } from '../platform/backoff.js';
import { clock } from '../platform/clock.js';

/** The server sends a comment every 15 s; some proxies hold back the head of a response until then. */
const OPEN_TIMEOUT_MS = 20_000;
const SILENCE_MS = 35_000;
/** A stream silent for this long is opened again when the device wakes up. */
const STALE_MS = 17_000;

export interface SubstituteStreamEvents {
  received(event: LiveEvent): void;
  /** The stream begins without the events before it. */
  began(): void;
}

/**
 * The events of one conversation over HTTP (server-sent events), while the live connection cannot be opened. Reopened
 * with `Last-Event-ID` until it is stopped.
 */
export class SubstituteStream {
  private stopping: AbortController | null = null;
  private attempt: AbortController | null = null;
  private open = false;
  private flowing = false;
  private lastDataAt = 0;

  constructor(
    private readonly path: string,
    private readonly request: RequestEvents,
    private readonly connection: Connection,
    private readonly events: SubstituteStreamEvents,
  ) {}

  /** Whether the server has answered. */
  get isOpen(): boolean {
    return this.open;
  }

  /** Whether data has arrived on the present response; a proxy may hold it back. */
  get isFlowing(): boolean {
    return this.flowing;
  }

  start(): void {
    if (!this.stopping) void this.run((this.stopping = new AbortController()).signal);
  }

  stop(): void {
    this.stopping?.abort();
    this.attempt?.abort();
    this.stopping = null;
  }

  /** Opens the stream again if it may have died while the device slept. */
  wake(): void {
    if (clock.now() - this.lastDataAt > STALE_MS) this.attempt?.abort();
  }

  private async run(stopped: AbortSignal): Promise<void> {
    const backoff = new Backoff(500, 10_000);
    let position: string | undefined;
    while (!stopped.aborted) {
      let failure: unknown = null;
      try {
        for await (const event of this.read(position)) {
          if (stopped.aborted) return;
          position = event.id ?? position;
          backoff.reset();
          this.events.received(event);
        }
      } catch (error) {
        failure = error;
      }
      if (stopped.aborted || isFinal(failure)) return;
      await wait(backoff.nextMs(failure instanceof ParleyError ? failure.retryAfter : null), stopped);
    }
  }

  private async *read(lastEventId: string | undefined) {
    const attempt = (this.attempt = new AbortController());
    let timer = setTimeout(() => attempt.abort(), OPEN_TIMEOUT_MS);
    let end = () => undefined as void;
    const renew = () => {
      clearTimeout(timer);
      timer = setTimeout(() => attempt.abort(), SILENCE_MS);
      this.lastDataAt = clock.now();
    };
    try {
      const response = await this.request(this.path, { lastEventId, signal: attempt.signal });
      renew();
      this.open = true;
      end = this.connection.substitute();
      if (lastEventId === undefined) this.events.began();
      yield* readEvents(response, attempt.signal, () => {
        renew();
        this.flowing = true;
      });
    } finally {
      clearTimeout(timer);
      this.open = this.flowing = false;
      end();
    }
  }
}

/** The conversation, or the session, does not exist any more. */
function isFinal(error: unknown): boolean {
  return error instanceof ParleyError && [401, 403, 404].includes(error.status);
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()));
  });
}
