import { createParser } from 'eventsource-parser';
import { once } from 'node:events';
import { EventLog, SeenEvent } from './event-log.js';
import { Answer } from './http.js';

/** Reader of server-sent events. */
export class SseReader {
  private readonly log = new EventLog<SeenEvent & { id?: string }>('SSE');
  /** Comments received, sent by the server as keep-alive. */
  readonly comments: string[] = [];
  /** The last `id:` received, to resume from. */
  lastEventId?: string;
  /** Resolves when either side has ended the stream. */
  readonly ended: Promise<void>;
  private readonly abort: AbortController;
  private listener?: (event: SeenEvent) => void;

  private constructor(
    readonly response: Response,
    abort: AbortController,
  ) {
    this.abort = abort;
    const read = this.read(response).then(
      () => this.log.end('the server ended the stream'),
      () => this.log.end('the stream broke off'),
    );
    // fetch's body never settles when it is aborted in the tick in which it ends.
    this.ended = Promise.race([
      read,
      once(abort.signal, 'abort').then(() => this.log.end('closed by the test')),
    ]);
  }

  /** @throws SseRefused if the response is no event stream */
  static async open(connect: (signal: AbortSignal) => Promise<Response>): Promise<SseReader> {
    const abort = new AbortController();
    const response = await connect(abort.signal);
    if (response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      return new SseReader(response, abort);
    }
    throw new SseRefused({
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Record<string, unknown>,
    });
  }

  get events() {
    return this.log.events;
  }

  /** Resolves with the first matching event, past ones included. */
  until(predicate: (event: SeenEvent) => boolean, timeoutMs?: number) {
    return this.log.until(predicate, timeoutMs);
  }

  /** Calls back with each event, past ones first. */
  listen(listener: (event: SeenEvent) => void): void {
    this.events.forEach(listener);
    this.listener = listener;
  }

  /** Disconnects like a closed page. */
  async close(): Promise<void> {
    this.abort.abort();
    await this.ended;
  }

  private async read(response: Response): Promise<void> {
    const parser = createParser({
      onEvent: ({ event, id, data }) => {
        this.lastEventId = id ?? this.lastEventId;
        const body = JSON.parse(data) as SeenEvent;
        if (body.type !== event) throw new Error(`An event ${event} has data of the type ${body.type}`);
        const seen = { ...body, ...(id !== undefined && { id }) };
        this.log.push(seen);
        this.listener?.(seen);
      },
      onComment: (comment) => this.comments.push(comment),
    });
    const decoder = new TextDecoder();
    for await (const bytes of response.body!) parser.feed(decoder.decode(bytes, { stream: true }));
  }
}

/** Thrown if the response is no event stream. */
export class SseRefused extends Error {
  constructor(readonly answer: Answer<Record<string, unknown>>) {
    super(`Not an event stream: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}
