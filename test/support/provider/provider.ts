import { once } from 'node:events';
import { createServer, IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventEmitter } from 'node:events';
import { json } from 'node:stream/consumers';
import { CompletionBody, Piece, PlayedStream, Script, WritingStyle } from './provider-script.js';

export * from './provider-script.js';

type Act =
  | { kind: 'stream'; script: Script }
  | { kind: 'answer'; status: number; body: string | Uint8Array | object; headers: Record<string, string> }
  | { kind: 'hang' }
  | { kind: 'reset' };

export type Refusal = [status: number, body: string | Uint8Array | object, headers?: Record<string, string>];

export class PlayedRequest {
  /** Time by `Date.now()` when the client closed the connection before the end of the reply. */
  closedAt?: number;
  /** Whether the whole reply was sent. */
  finished = false;
  /** Resolves when either side has ended the reply. */
  readonly closed: Promise<void>;

  constructor(
    readonly method: string,
    readonly path: string,
    readonly headers: IncomingHttpHeaders,
    readonly body: CompletionBody,
    response: ServerResponse,
  ) {
    this.closed = once(response, 'close').then(() => {
      this.finished = response.writableFinished;
      if (!this.finished) this.closedAt = Date.now();
    });
  }

  get isTitle(): boolean {
    return this.body.messages?.some(({ content }) => content.includes('Write a title')) ?? false;
  }
}

/**
 * Model provider on a local port that speaks OpenAI's protocol and misbehaves on command. With an empty queue it answers
 * 'Hello from the model.', and 'A fine title' to title requests.
 */
export class PlayedProvider implements WritingStyle {
  chunkBytes?: number;
  delayMs?: number;
  models = ['test-model'];
  /** Replaces the answer to `/models`. */
  modelList?: string | Uint8Array | object;
  /** Base path of the API. */
  base = '/v1';
  title: string | Script = 'A fine title';
  default: Script = ['Hello', ' from', ' the model.'];
  /** Called for each request, title requests included; returns a script, or undefined for the queue. */
  onRequest?: (body: CompletionBody) => Script | undefined;
  /** Called before `onRequest`, for every path; returns a refusal or undefined. */
  refuse?: (body: CompletionBody, path: string, headers: IncomingHttpHeaders) => Refusal | undefined;
  /** All requests so far. */
  readonly requests: PlayedRequest[] = [];
  /** Number of connections so far. */
  connections = 0;
  private readonly queue: Act[] = [];
  private readonly arrivals = new EventEmitter();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        if (!response.destroyed) throw error; // tests disconnect in the middle
      });
    });
    server.on('connection', (socket) => {
      this.connections++;
      socket.setNoDelay(true);
    });
  }

  static async start(): Promise<PlayedProvider> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new PlayedProvider(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}${this.base}`;
  }

  /** Completion requests, except title requests. */
  get chats(): PlayedRequest[] {
    return this.requests.filter(({ path, isTitle }) => /\/chat\/completions(\?|$)/.test(path) && !isTitle);
  }

  /** Queues a streamed reply, which ends normally unless the script ends it otherwise. */
  willStream(...script: Piece[]): this {
    return this.will({ kind: 'stream', script });
  }

  /** Queues an answer in one piece. Objects are sent as JSON. */
  willAnswer(
    status: number,
    body: string | Uint8Array | object = '',
    headers: Record<string, string> = {},
  ): this {
    return this.will({ kind: 'answer', status, body, headers });
  }

  /** Queues a request that is never answered. */
  willHang(): this {
    return this.will({ kind: 'hang' });
  }

  /** Queues a connection reset instead of an answer. */
  willReset(): this {
    return this.will({ kind: 'reset' });
  }

  /** Resolves with all completion requests, titles aside, once there are `count`. */
  async waitForRequests(count: number): Promise<PlayedRequest[]> {
    while (this.chats.length < count) await once(this.arrivals, 'request');
    return this.chats;
  }

  async stop(): Promise<void> {
    if (!this.server.listening) return;
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private will(act: Act): this {
    this.queue.push(act);
    return this;
  }

  private async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming;
    const body = method === 'POST' ? ((await json(incoming)) as CompletionBody) : {};
    const request = new PlayedRequest(method, url, headers, body, response);
    this.requests.push(request);
    this.arrivals.emit('request');
    const refusal = this.refuse?.(body, url, headers);
    if (refusal) return answer(response, ...refusal);
    const path = url.split('?')[0]!.slice(this.base.length);
    if (!url.startsWith(this.base)) answer(response, 404, '404 page not found');
    else if (path === '/models') answer(response, 200, this.modelList ?? this.openAiList());
    else if (path !== '/chat/completions')
      answer(response, 404, { error: { message: `Unknown path ${url}` } });
    else await this.perform(this.actFor(request), request, response);
  }

  private openAiList(): object {
    return { object: 'list', data: this.models.map((id) => ({ id })) };
  }

  private actFor(request: PlayedRequest): Act {
    const script = this.onRequest?.(request.body);
    if (script) return { kind: 'stream', script };
    if (!request.isTitle) return this.queue.shift() ?? { kind: 'stream', script: this.default };
    return { kind: 'stream', script: typeof this.title === 'string' ? [this.title] : this.title };
  }

  private async perform(act: Act, { body }: PlayedRequest, response: ServerResponse): Promise<void> {
    if (act.kind === 'answer') answer(response, act.status, act.body, act.headers);
    else if (act.kind === 'reset') response.socket?.resetAndDestroy();
    else if (act.kind === 'stream') await this.play(act.script, body, response);
  }

  private async play(script: Script, body: CompletionBody, response: ServerResponse): Promise<void> {
    if (body.stream) return new PlayedStream(response, body, this).play(script);
    const content = script.filter((piece) => typeof piece === 'string').join('');
    const message = { role: 'assistant', content };
    answer(response, 200, {
      object: 'chat.completion',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
    });
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array | object,
  headers: Record<string, string> = {},
): void {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  response.writeHead(status, { 'Content-Type': raw ? 'text/plain' : 'application/json', ...headers });
  response.end(raw ? body : JSON.stringify(body));
}
