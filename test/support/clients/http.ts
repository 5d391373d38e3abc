/** Default type of response bodies. */
export interface Thing {
  id: number;
  [member: string]: unknown;
}

export interface Answer<T = Thing> {
  status: number;
  headers: Headers;
  /** Parsed JSON, or text for other content types. */
  body: T;
}

type Sendable = object | string | Uint8Array | null;

/** HTTP client of the server under test. */
export class HttpClient {
  /** @param headers called for each request, since tokens change */
  constructor(
    protected readonly baseUrl: () => string,
    private readonly headers: () => Record<string, string> = () => ({}),
  ) {}

  get<T = Thing>(path: string, headers?: Record<string, string>): Promise<Answer<T>> {
    return this.request('GET', path, undefined, headers);
  }

  /** @param body text and bytes are sent unchanged, other values as JSON; `application/json` by default */
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

  /** The raw response, for streams. */
  fetch(
    method: string,
    path: string,
    body?: Sendable,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    // `JSON.stringify` of undefined is undefined.
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const payload = isRaw ? (body as string) : JSON.stringify(body);
    const type: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const all = new Headers({ ...this.headers(), ...type });
    for (const [name, value] of Object.entries(headers)) all.set(name, value);
    return fetch(this.baseUrl() + path, { method, body: payload, headers: all, signal });
  }
}
