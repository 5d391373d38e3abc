/** Most answers are a thing with an id; give the type where it matters. */
export interface Thing {
  id: number;
  [member: string]: unknown;
}

export interface Answer<T = Thing> {
  status: number;
  headers: Headers;
  /** JSON, parsed, where the answer says that it is; else text. */
  body: T;
}

type Sendable = object | string | Uint8Array | null;

/** Real HTTP to the server under test. */
export class HttpClient {
  /** @param headers sent with every request; asked each time, since tokens change */
  constructor(
    protected readonly baseUrl: () => string,
    private readonly headers: () => Record<string, string> = () => ({}),
  ) {}

  get<T = Thing>(path: string, headers?: Record<string, string>): Promise<Answer<T>> {
    return this.request('GET', path, undefined, headers);
  }

  /** @param body text and bytes are sent as they are, all else as JSON; `application/json` unless a header differs */
  post<T = Thing>(path: string, body?: Sendable, headers?: Record<string, string>): Promise<Answer<T>> {
    return this.request('POST', path, body, headers);
  }

  async request<T = Thing>(
    method: string,
    path: string,
    body?: Sendable,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await this.fetch(method, path, body, headers);
    const text = await response.text();
    const isJson = /\bjson\b/.test(response.headers.get('Content-Type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      body: isJson && text ? JSON.parse(text) : text,
    };
  }

  /** The answer as it comes in, for streams. */
  fetch(
    method: string,
    path: string,
    body?: Sendable,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const payload = body === undefined ? undefined : isRaw ? (body as string) : JSON.stringify(body);
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const all = new Headers({ ...this.headers(), ...type });
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    return fetch(this.baseUrl() + path, { method, body: payload, headers: all, signal });
  }
}
