import type { Readable } from 'node:stream';
import type { ClientOptions } from 'openai';
import { Dispatcher, request } from 'undici';

const MAX_ERROR_BYTES = 64 * 1024;

/** What openai's client needs of a response, over a stream of Node's: the web's take twice the time for each chunk. */
export class OutboundResponse {
  readonly headers = new Headers();

  constructor(
    readonly url: string,
    readonly status: number,
    readonly body: Readable,
    headers: Record<string, string | string[] | undefined>,
  ) {
    // Whoever reads it has listeners of their own; until then, an abort must not end the process.
    body.on('error', () => {});
    for (const [name, value] of Object.entries(headers)) {
      for (const each of [value ?? []].flat()) this.headers.append(name, each);
    }
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** The start of the body: openai asks for the text of every error, however long. */
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
      // an error that breaks off is the error still, with what it said until then
    }
    return Buffer.concat(chunks).subarray(0, MAX_ERROR_BYTES).toString();
  }
}

/**
 * A fetch for openai's client that follows no redirect, knows no proxy, and sends what is named here and nothing else:
 * openai's other headers tell of the machine, and may come from its environment.
 */
export function outboundFetch(dispatcher: Dispatcher): ClientOptions['fetch'] {
  const send = async (url: string, { method, body, signal, headers }: RequestInit) => {
    const answer = await request(url, {
      method: method as Dispatcher.HttpMethod,
      body: body as string | undefined,
      signal,
      headers: sentHeaders(headers as Headers),
      dispatcher,
    });
    return new OutboundResponse(url, answer.statusCode, answer.body, answer.headers);
  };
  return send as unknown as ClientOptions['fetch'];
}

function sentHeaders(given: Headers): Record<string, string> {
  const headers: Record<string, string> = { 'User-Agent': 'Parley', 'Accept-Encoding': 'identity' };
  for (const name of ['Accept', 'Authorization', 'Content-Type']) {
    const value = given.get(name);
    if (value !== null) headers[name] = value;
  }
  return headers;
}
