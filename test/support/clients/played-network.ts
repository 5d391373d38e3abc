import { networkError, ParleyError } from '../../../sdk/typescript/src/error.js';
import type { Connection } from '../../../sdk/typescript/src/live/connection.js';
import type { LiveEvent } from '../../../sdk/typescript/src/live/events.js';
import { PlayedServer, type Command, type Served, type ServedEvents } from './played-server.js';

/** What gets through: everything, HTTP alone, nothing. */
export type Reach = 'live' | 'blocked' | 'offline';

type Move = () => void;

/** A line of the socket: packets arrive in order, each when it is moved. */
class Line {
  readonly up: Move[] = [];
  readonly down: { deliver: Move; event: LiveEvent | null }[] = [];
  readonly opened = new Set<number>();
}

/**
 * The network between a client and a played server. Nothing arrives by itself: a test moves one packet after the other,
 * in the order that it chooses.
 */
export class PlayedNetwork {
  readonly server = new PlayedServer();
  /** Whether an acknowledgement precedes the events of its command. */
  answersFirst = false;
  /** Whether events came over HTTP, where those of one response may overtake those of another. */
  hasStreamed = false;
  private reach: Reach = 'live';
  private lines = new Map<PlayedSocket, Line>();
  private readonly calls = new Set<HttpCall>();

  /** What can move now. */
  get moves(): Move[] {
    const lines = [...this.lines.values()].flatMap(({ up, down }) => [
      ...(up.length > 0 ? [() => up.shift()!()] : []),
      ...(down.length > 0 ? [() => down.shift()!.deliver()] : []),
    ]);
    const calls = [...this.calls].filter((each) => each.canMove);
    return [...lines, ...calls.map((each) => () => each.move())];
  }

  /** Makes a client's connection use this network. */
  carry(connection: Connection): void {
    const { received } = connection as unknown as { received: (event: LiveEvent) => void };
    Object.assign(connection, { socketFor: () => new PlayedSocket(this, received.bind(connection)) });
  }

  /** Sends an event to all streams and sockets that follow the conversation. */
  publish(event: LiveEvent, conversationId: number): void {
    this.server.publish(event, conversationId);
    for (const [socket, line] of this.lines) {
      if (event.type !== 'message.delta' || line.opened.has(conversationId)) this.push(socket, line, event);
    }
  }

  /** Loses a delta that is under way, which the client notices by the offset of the next one. */
  drop(n: number): void {
    for (const { down } of this.lines.values()) {
      const deltas = down.filter(({ event }) => event?.type === 'message.delta');
      const lost = deltas[n % deltas.length];
      if (lost) down.splice(down.indexOf(lost), 1);
    }
  }

  /** Delivers an event that is under way twice. */
  repeat(n: number): void {
    for (const [socket, { down }] of this.lines) {
      const at = n % down.length;
      const event = down[at]?.event;
      if (event) down.splice(at, 0, { event, deliver: () => socket.receive(structuredClone(event)) });
    }
  }

  /** Ends all connections; what is under way is lost. */
  cut(): void {
    [...this.lines.keys()].forEach((socket) => socket.close());
    [...this.calls].forEach((each) => each.fail());
  }

  /** Changes what gets through. */
  become(reach: Reach): void {
    if (reach === this.reach) return;
    this.reach = reach;
    if (reach === 'offline') this.cut();
    else if (reach === 'blocked') [...this.lines.keys()].forEach((socket) => socket.close());
  }

  connect(socket: PlayedSocket): void {
    if (this.reach !== 'live') throw networkError('There is no way.');
    this.lines.set(socket, new Line());
  }

  disconnect(socket: PlayedSocket): void {
    this.lines.delete(socket);
  }

  /** Sends a command; `answer` is called with what arrives. */
  command(socket: PlayedSocket, command: Command, answer: (data: unknown, error: unknown) => void): void {
    const line = this.lines.get(socket);
    line?.up.push(() => {
      const { conversation_id } = command.body;
      if (command.name === 'conversation.close') line.opened.delete(conversation_id);
      const before = line.down.length;
      const { data, error } = attempt(() => structuredClone(this.server.command(command)));
      const opens = command.name.startsWith('chat.') || command.name === 'conversation.open';
      if (opens && !error) line.opened.add(conversation_id);
      const at = this.answersFirst ? before : line.down.length;
      line.down.splice(at, 0, { event: null, deliver: () => answer(data, error) });
    });
  }

  readonly fetch = (async (request: Request) => {
    const body = request.body ? ((await request.json()) as unknown) : null;
    if (this.reach === 'offline') throw new TypeError('offline');
    this.hasStreamed ||= request.headers.get('Accept') === 'text/event-stream';
    return new Promise<Response>((resolve, reject) => {
      const call = new HttpCall(this.server, request, body, { resolve, reject }, () =>
        this.calls.delete(call),
      );
      this.calls.add(call);
    });
  }) as typeof globalThis.fetch;

  private push(socket: PlayedSocket, { down }: Line, event: LiveEvent): void {
    const copy = structuredClone(event);
    down.push({ event: copy, deliver: () => socket.receive(copy) });
  }
}

function attempt<T>(work: () => T): { data?: T; error?: ParleyError } {
  try {
    return { data: work() };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    return { error };
  }
}

interface Settle {
  resolve: (response: Response) => void;
  reject: (error: unknown) => void;
}

/** One HTTP request: it arrives, its answer arrives, then each event of the answer. */
class HttpCall {
  private served: { data?: Served; error?: ParleyError } | null = null;
  private body: ReadableStreamDefaultController<Uint8Array> | null = null;

  constructor(
    private readonly server: PlayedServer,
    private readonly request: Request,
    private readonly json: unknown,
    private readonly settle: Settle,
    private readonly forget: () => void,
  ) {
    request.signal.addEventListener('abort', () => this.fail());
  }

  get canMove(): boolean {
    return !this.body || this.events!.waiting.length > 0;
  }

  move(): void {
    if (!this.served) this.served = attempt(() => this.serve());
    else if (this.body) this.moveEvent();
    else this.answer(this.served);
  }

  fail(): void {
    this.forget();
    this.leave();
    const error = this.request.signal.aborted ? this.request.signal.reason : new TypeError('cut');
    this.settle.reject(error);
    try {
      this.body?.error(error);
    } catch {
      // It has ended.
    }
  }

  private get events(): ServedEvents | null {
    const data = this.served?.data;
    return data && 'events' in data ? data.events : null;
  }

  private serve(): Served {
    const { method, url, headers } = this.request;
    const served = this.server.call(method, new URL(url), this.json, headers.get('Last-Event-ID'));
    return 'json' in served ? { json: structuredClone(served.json) } : served;
  }

  private answer({ data, error }: { data?: Served; error?: ParleyError }): void {
    if (!data || 'json' in data) {
      this.forget();
      const headers = { 'Content-Type': 'application/json' };
      const body = JSON.stringify(data ? data.json : error!.problem);
      return this.settle.resolve(new Response(body, { status: error?.status ?? 200, headers }));
    }
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => void (this.body = controller),
      cancel: () => (this.forget(), this.leave()),
    });
    this.settle.resolve(new Response(stream, { headers: { 'Content-Type': 'text/event-stream' } }));
  }

  private moveEvent(): void {
    const { events } = this;
    const { id, event } = events!.waiting.shift()!;
    const block = `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event.body)}\n\n`;
    this.body!.enqueue(new TextEncoder().encode(block));
    if (events!.waiting.length > 0 || !events!.hasEnded) return;
    this.body!.close();
    this.forget();
    this.leave();
  }

  private leave(): void {
    if (this.events) this.server.streams.delete(this.events);
  }
}

/** Stands in for the client's LiveSocket. */
export class PlayedSocket {
  readonly closed: Promise<void>;
  private end!: () => void;
  private readonly waiting = new Set<(error: ParleyError) => void>();

  constructor(
    private readonly network: PlayedNetwork,
    readonly receive: (event: LiveEvent) => void,
  ) {
    this.closed = new Promise((resolve) => (this.end = resolve));
  }

  async connect(): Promise<void> {
    this.network.connect(this);
  }

  request(
    name: string,
    body: Command['body'],
    onData?: (data: unknown) => void,
    timeoutMs = 15_000,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.waiting.add(reject);
      const timer = setTimeout(() => this.close(), timeoutMs);
      this.network.command(this, { name, body }, (data, error) => {
        clearTimeout(timer);
        this.waiting.delete(reject);
        if (error) return reject(error);
        onData?.(data);
        resolve(data);
      });
    });
  }

  close(): void {
    this.network.disconnect(this);
    this.end();
    this.waiting.forEach((fail) => fail(networkError('closed')));
    this.waiting.clear();
  }
}
