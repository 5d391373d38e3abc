import { once } from 'node:events';
import { createServer, IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventEmitter } from 'node:stream';
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
  /** When the client closed the connection before the reply was whole, by `Date.now()`. */
  closedAt?: number;
  /** The reply has been sent whole. */
  finished = false;
  /** Resolves when the reply is over, by either side. */
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
 * A model provider on a real port of this machine, which speaks OpenAI's protocol and misbehaves on command. With nothing
 * queued it says 'Hello from the model.', and 'A fine title' where it is asked for a title.
 */
export class PlayedProvider implements WritingStyle {
  chunkBytes?: number;
  delayMs?: number;
  models = ['test-model'];
  /** The answer to `/models`, in place of OpenAI's list. */
  modelList?: string | Uint8Array | object;
  /** Where its API is. */
  base = '/v1';
  title: string | Script = 'A fine title';
  default: Script = ['Hello', ' from', ' the model.'];
  /** Asked first, for title requests too; without an answer of its own, things go on as ever. */
  onRequest?: (body: CompletionBody) => Script | undefined;
  /** Asked before that, whatever the path. */
  refuse?: (body: CompletionBody, path: string, headers: IncomingHttpHeaders) => Refusal | undefined;
  /** Everything that was asked. */
  readonly requests: PlayedRequest[] = [];
  /** How many connections were opened so far. */
  connections = 0;
  private readonly queue: Act[] = [];
  private readonly arrivals = new EventEmitter();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      this.handle(request, response).catch((error: unknown) => {
        if (!response.destroyed) throw error; // a client that left in the middle is what this is for
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

  /** The requests for completions, but for those that ask for a title. */
  get chats(): PlayedRequest[] {
    return this.requests.filter(({ path, isTitle }) => /\/chat\/completions(\?|$)/.test(path) && !isTitle);
  }

  /** What the next chat completion streams; it ends well unless the script sees to another end. First come, first served. */
  willStream(...script: Piece[]): this {
    return this.will({ kind: 'stream', script });
  }

  /** How the next chat completion is answered, in one piece. Objects become JSON. */
  willAnswer(
    status: number,
    body: string | Uint8Array | object = '',
    headers: Record<string, string> = {},
  ): this {
    return this.will({ kind: 'answer', status, body, headers });
  }

  /** The next chat completion never gets an answer, not even its headers. */
  willHang(): this {
    return this.will({ kind: 'hang' });
  }

  /** The next chat completion's connection is reset in place of an answer. */
  willReset(): this {
    return this.will({ kind: 'reset' });
  }

  /** Resolves once `count` chat completions have been asked for, titles aside, with all of them. */
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
