import type { SessionTokens } from '../auth/session-tokens.js';
import { networkError, responseError } from '../error.js';
import type { StoredFile } from '../rest/types.gen.js';
import { type Fetch, reach, withNewToken } from './rest-client.js';

interface XhrLike {
  status: number;
  responseText: string;
  upload: { onprogress: ((event: { loaded: number }) => void) | null };
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  onloadend: (() => void) | null;
  open(method: string, url: string): void;
  setRequestHeader(name: string, value: string): void;
  getResponseHeader(name: string): string | null;
  send(body: FormData): void;
  abort(): void;
}

export interface FileRequest {
  body: FormData;
  signal: AbortSignal;
  /** @param sent bytes of the request's body */
  onProgress: (sent: number) => void;
}

/** Sends one file. @throws {ParleyError} */
export type PostFile = (request: FileRequest) => Promise<StoredFile>;

/** @param fetch the app's own; without one, XMLHttpRequest is used where it exists, for its progress */
export function createFileUpload(baseUrl: string, fetch: Fetch | undefined, tokens: SessionTokens): PostFile {
  const { XMLHttpRequest: Xhr } = globalThis as { XMLHttpRequest?: new () => XhrLike };
  const url = `${baseUrl}/files`;
  const post = async (token: string, request: FileRequest) => {
    // XMLHttpRequest would send the file, and on Node 24 fetch would end the process.
    if (request.signal.aborted) throw request.signal.reason;
    return !fetch && Xhr
      ? postByXhr(new Xhr(), url, token, request)
      : postByFetch(fetch ?? globalThis.fetch, url, token, request);
  };
  return async (request) => {
    const response = await withNewToken(tokens, (token) => post(token, request));
    const body: unknown = await response.json().catch(() => null);
    if (!response.ok) throw responseError(body, response);
    if (!body) throw networkError('The response broke off.');
    return body as StoredFile;
  };
}

function postByFetch(fetch: Fetch, url: string, token: string, { body, signal }: FileRequest) {
  const headers = { Authorization: `Bearer ${token}` };
  return reach(new Request(url, { method: 'POST', body, headers, signal }), fetch);
}

function postByXhr(xhr: XhrLike, url: string, token: string, { body, signal, onProgress }: FileRequest) {
  return new Promise<Response>((resolve, reject) => {
    const abort = () => xhr.abort();
    xhr.onload = () => resolve(responseOf(xhr));
    xhr.onerror = xhr.onabort = () => reject(networkError('XMLHttpRequest failed.'));
    xhr.onloadend = () => signal.removeEventListener('abort', abort);
    xhr.upload.onprogress = ({ loaded }) => onProgress(loaded);
    xhr.open('POST', url);
    xhr.setRequestHeader('Authorization', `Bearer ${token}`);
    signal.addEventListener('abort', abort);
    xhr.send(body);
  });
}

/** With the headers that errors use. */
function responseOf(xhr: XhrLike): Response {
  const headers = ['Retry-After', 'X-Request-Id'].flatMap((name) => {
    const value = xhr.getResponseHeader(name);
    return value === null ? [] : [[name, value] as [string, string]];
  });
  return new Response(xhr.responseText, { status: xhr.status, headers });
}
