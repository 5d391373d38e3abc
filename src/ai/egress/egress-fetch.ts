import type { Readable } from 'node:stream';
import type { ClientOptions } from 'openai';
import { Dispatcher, request } from 'undici';
import { decodeBody } from './content-encoding.js';

const MAX_ERROR_BYTES = 64 * 1024;

/** The part of a response that openai's client needs, over a Node stream: web streams take twice the CPU per chunk. */
export class EgressResponse {
  readonly headers = new Headers();
  /** Decoded, so that limits count decoded bytes. */
  readonly body: Readable;

  constructor(
    readonly url: string,
    readonly status: number,
    body: Readable,
    headers: Record<string, string | string[] | undefined>,
  ) {
    for (const [name, value] of Object.entries(headers)) {
      for (const each of [value ?? []].flat()) this.headers.append(name, each);
    }
    const encoding = this.headers.get('content-encoding');
    this.body = encoding ? decodeBody(body, encoding) : body;
    // Readers add their own listeners; before that, an abort must not crash the process.
    this.body.on('error', () => {});
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** Reads the start of the body: openai reads the text of every error, however long. */
  async text(): Promise<string> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of this.body as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= MAX_ERROR_BYTES) break;
      }
    } catch {
      // a truncated error body is used as far as it was received
    }
    return Buffer.concat(chunks).subarray(0, MAX_ERROR_BYTES).toString();
  }
}

/** A fetch for openai's client without redirects or proxies; returns {@link EgressResponse}s. */
export const egressFetch = (async (url: string, init: RequestInit & { dispatcher: Dispatcher }) => {
  const { method, body, signal, headers, dispatcher } = init;
  const answer = await request(url, {
    method: method as Dispatcher.HttpMethod,
    body: body as string | undefined,
    signal,
    headers: headers as Headers,
    dispatcher,
  });
  return new EgressResponse(url, answer.statusCode, answer.body, answer.headers);
}) as unknown as ClientOptions['fetch'];
