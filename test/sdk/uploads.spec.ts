/** Uploads by XMLHttpRequest, which browsers and React Native have and Node does not: it is played here. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { getEventListeners } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { SessionTokens } from '../../sdk/typescript/src/auth/session-tokens.js';
import { memoryStorage, SessionStorage } from '../../sdk/typescript/src/auth/storage.js';
import { Emitter } from '../../sdk/typescript/src/emitter.js';
import { type FileServices, Files } from '../../sdk/typescript/src/files/files.js';
import { createFileUpload } from '../../sdk/typescript/src/http/file-upload.js';

const BASE = 'https://chat.example.com';
const USER = { id: 1 };
const STORED = { id: 7, name: 'a.txt', mime_type: 'text/plain', bytes: 3 };
const PROBLEM = { code: 'token_expired', status: 401, detail: 'The access token has expired.' };

class PlayedXhr {
  static readonly all: PlayedXhr[] = [];
  readonly upload = { onprogress: null as ((event: { loaded: number }) => void) | null };
  onload: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onabort: (() => void) | null = null;
  onloadend: (() => void) | null = null;
  status = 0;
  responseText = '';
  opened: string[] = [];
  token: string | undefined;
  body: FormData | undefined;
  isAborted = false;
  private answerHeaders = new Headers();

  constructor() {
    PlayedXhr.all.push(this);
  }

  open(...request: string[]): void {
    this.opened = request;
  }

  setRequestHeader(name: string, value: string): void {
    if (name === 'Authorization') this.token = value;
  }

  getResponseHeader(name: string): string | null {
    return this.answerHeaders.get(name);
  }

  send(body: FormData): void {
    this.body = body;
  }

  abort(): void {
    this.isAborted = true;
    this.end('onabort');
  }

  answer(status: number, body: unknown, headers: Record<string, string> = {}): void {
    this.answerHeaders = new Headers(headers);
    Object.assign(this, { status, responseText: typeof body === 'string' ? body : JSON.stringify(body) });
    this.end('onload');
  }

  fail(): void {
    this.end('onerror');
  }

  private end(name: 'onload' | 'onerror' | 'onabort'): void {
    this[name]?.();
    this.onloadend?.();
  }
}

/** Tokens of a session, whose refresh returns `fresh`. */
function tokensOf(storage = memoryStorage()) {
  const session = {
    user: USER,
    access_token: 'first',
    refresh_token: 'r',
    expires_in: 3600,
    obtained_at: Date.now(),
  };
  void storage.setItem('session', JSON.stringify(session));
  const pair = { access_token: 'fresh', refresh_token: 's', expires_in: 3600 };
  return new SessionTokens(new SessionStorage(storage, 'session'), async () => pair as never);
}

beforeEach(() => {
  PlayedXhr.all.length = 0;
  Object.assign(globalThis, { XMLHttpRequest: PlayedXhr });
});
afterEach(() => {
  jest.useRealTimers();
  delete (globalThis as { XMLHttpRequest?: unknown }).XMLHttpRequest;
});

describe('an upload by XMLHttpRequest', () => {
  function start(controller = new AbortController()) {
    const progress: number[] = [];
    const body = new FormData();
    const post = createFileUpload(BASE, undefined, tokensOf());
    const request = { body, signal: controller.signal, onProgress: (sent: number) => progress.push(sent) };
    return { controller, progress, body, file: post(request) };
  }

  it('sends the file with the token, reports its progress, and returns what the server stored', async () => {
    const { controller, progress, body, file } = start();
    await immediate();
    const [xhr] = PlayedXhr.all;
    expect(xhr).toMatchObject({ opened: ['POST', `${BASE}/files`], token: 'Bearer first' });
    expect(xhr!.body).toBe(body);

    xhr!.upload.onprogress!({ loaded: 2 });
    xhr!.answer(201, STORED);

    expect(await file).toEqual(STORED);
    expect(progress).toEqual([2]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('sends nothing if it is aborted before its token is there', async () => {
    const { controller, file } = start();
    controller.abort();

    await expect(file).rejects.toBe(controller.signal.reason);

    expect(PlayedXhr.all).toEqual([]);
  });

  it('ends the request if it is aborted while it is sent', async () => {
    const { controller, file } = start();
    await immediate();
    controller.abort();

    await expect(file).rejects.toMatchObject({ code: 'network_error', status: 0 });

    expect(PlayedXhr.all.map(({ isAborted }) => isAborted)).toEqual([true]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('repeats a refused request with a new token, unless it is aborted meanwhile', async () => {
    const [repeated, aborted] = [start(), start()];
    await immediate();
    for (const xhr of [...PlayedXhr.all]) xhr.answer(401, PROBLEM);
    aborted.controller.abort();
    await expect(aborted.file).rejects.toBe(aborted.controller.signal.reason);
    await immediate();

    expect(PlayedXhr.all.map(({ token }) => token)).toEqual(['Bearer first', 'Bearer first', 'Bearer fresh']);
    PlayedXhr.all[2]!.answer(201, STORED);
    expect(await repeated.file).toEqual(STORED);
  });

  it.each([
    ['a problem', { ...PROBLEM, code: 'storage_unavailable', status: 503 }, 503, 'storage_unavailable'],
    ['a page of a proxy', '<html>Too Large</html>', 413, 'unexpected_response'],
    ['half of a file', '{"id": 7, "na', 201, 'network_error'],
  ])('fails with %s as with fetch', async (_name, body, status, code) => {
    const { file } = start();
    await immediate();
    PlayedXhr.all[0]!.answer(status, body, { 'Retry-After': '5', 'X-Request-Id': 'r-1' });

    const error: unknown = await file.catch((reason: unknown) => reason);

    expect(error).toMatchObject({ code });
    if (code !== 'network_error') expect(error).toMatchObject({ status, retryAfter: 5 });
  });

  it('fails as unreachable when the connection breaks', async () => {
    const { file } = start();
    await immediate();
    PlayedXhr.all[0]!.fail();

    await expect(file).rejects.toMatchObject({ code: 'network_error' });
  });
});

describe('parley.files over XMLHttpRequest', () => {
  function files(): Files {
    const connection = { opened: new Emitter<[]>(), woken: new Emitter<[]>() };
    const post = createFileUpload(BASE, undefined, tokensOf());
    return new Files(BASE, { rest: {}, connection, post } as unknown as FileServices);
  }
  const named = (n: number) => ({ name: `${n}.txt`, data: 'abc' });

  it('gives the place of an aborted upload to the next one at once', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const parley = files();
    const uploads = [1, 2, 3, 4].map((n) => parley.upload(named(n)));
    await immediate();
    expect(PlayedXhr.all).toHaveLength(3);

    uploads[0]!.abort();
    await immediate();

    await expect(uploads[0]!.done).rejects.toMatchObject({ code: 'aborted' });
    expect(PlayedXhr.all.map(({ isAborted }) => isAborted)).toEqual([true, false, false, false]);
  });
});
