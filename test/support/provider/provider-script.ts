import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** Step of a played reply. Strings are deltas of content. */
export type Script = readonly Piece[];
export type Piece = string | Step;
export type Step = (stream: PlayedStream) => Promise<void> | void;

export interface WritingStyle {
  /** Bytes per write; everything at once if unset. */
  chunkBytes?: number;
  /** The pause after each write, in milliseconds. */
  delayMs?: number;
}

export interface CompletionBody {
  model?: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  messages?: { role: string; content: string }[];
  [param: string]: unknown;
}

/** Reply being streamed, in OpenAI's format by default. */
export class PlayedStream {
  /** Whether the script ended the reply itself, so that no finish reason, usage or `[DONE]` is added. */
  ended = false;
  finished = false;
  usageSent = false;

  constructor(
    readonly response: ServerResponse,
    readonly body: CompletionBody,
    private readonly style: WritingStyle,
  ) {}

  get gone(): boolean {
    return this.response.destroyed || this.response.socket === null || this.response.socket.destroyed;
  }

  async play(script: Script): Promise<void> {
    this.response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    this.response.flushHeaders();
    for (const piece of script) {
      if (this.gone) return;
      await (typeof piece === 'string' ? this.delta({ content: piece }) : piece(this));
    }
    await this.end();
  }

  delta(delta: object): Promise<void> {
    return this.send({ choices: [{ index: 0, delta, finish_reason: null }] });
  }

  finish(reason: string): Promise<void> {
    this.finished = true;
    return this.send({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
  }

  usage(usage: object): Promise<void> {
    this.usageSent = true;
    return this.send({ choices: [], usage });
  }

  /** Writes an event with OpenAI's common fields. */
  send(chunk: object): Promise<void> {
    const { model } = this.body;
    const event = {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1_700_000_000,
      model,
      ...chunk,
    };
    return this.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  async write(data: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(data);
    const size = this.style.chunkBytes ?? Math.max(bytes.length, 1);
    for (let start = 0; start < bytes.length && !this.gone; start += size) {
      await this.writeChunk(bytes.subarray(start, start + size));
    }
  }

  /** Resolves once everything is flushed to the client. */
  flushed(): Promise<void> {
    return new Promise((resolve) => this.response.socket?.write('', () => resolve()) ?? resolve());
  }

  private async writeChunk(bytes: Uint8Array): Promise<void> {
    const room = this.response.write(bytes);
    if (!room && !this.gone) await this.drained();
    if (this.style.delayMs) await delay(this.style.delayMs);
    else if (this.style.chunkBytes) await new Promise(setImmediate);
  }

  private drained(): Promise<void> {
    const { response } = this;
    return new Promise((resolve) => {
      const done = () => {
        response.off('drain', done).off('close', done);
        resolve();
      };
      response.on('drain', done).on('close', done);
    });
  }

  private async end(): Promise<void> {
    if (this.gone) return;
    if (!this.ended) {
      if (!this.finished) await this.finish('stop');
      if (!this.usageSent && this.body.stream_options?.include_usage) await this.usage(USAGE);
      await this.write('data: [DONE]\n\n');
    }
    this.response.end();
  }
}

const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

export function reasoning(text: string): Step {
  return (stream) => stream.delta({ reasoning_content: text });
}

/** Closes the connection in the middle of the body. */
export function cut(): Step {
  return async (stream) => {
    await stream.flushed();
    stream.response.socket?.destroy();
  };
}

/** Resets the connection after a short pause, since libuv reports a reset along with data as an end. */
const RESET_DELAY_MS = 50;

export function rst(): Step {
  return async (stream) => {
    await stream.flushed();
    await delay(RESET_DELAY_MS);
    stream.response.socket?.resetAndDestroy();
  };
}

/** Sends nothing more and keeps the connection open until the client closes it. */
export function stall(): Step {
  return async (stream) => {
    if (!stream.gone) await once(stream.response, 'close');
  };
}

export function pause(ms: number): Step {
  return () => delay(ms);
}

/** Holds the stream until `open` is called. */
export function gate(): Step & { open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return Object.assign(() => opened, { open });
}

/** Raw bytes; the usual ending follows unless `noDone()` is given. */
export function raw(bytes: string | Uint8Array): Step {
  return (stream) => stream.write(bytes);
}

export function finish(reason: string): Step {
  return (stream) => stream.finish(reason);
}

export function usage(numbers: object): Step {
  return (stream) => stream.usage(numbers);
}

export function errorEvent(error: object): Step {
  return (stream) => stream.write(`data: ${JSON.stringify({ error })}\n\n`);
}

/** Ends the HTTP response properly, without finish reason, usage or `[DONE]`. */
export function noDone(): Step {
  return (stream) => {
    stream.ended = true;
  };
}

/** Repeats a piece for as long as the client reads. */
export function endless(piece: string | Uint8Array): Step {
  return async (stream) => {
    while (!stream.gone) await stream.write(piece);
  };
}
