import { Auth } from './auth/auth.js';
import { SessionTokens } from './auth/session-tokens.js';
import { memoryStorage, type ParleyStorage, SessionStorage } from './auth/storage.js';
import { createRestClient, type Fetch } from './http/rest-client.js';
import { withTimeout } from './http/timeout.js';
import { Rest } from './rest/index.js';

export interface ParleyOptions {
  /** Where the server is, with a path prefix if it has one: `https://chat.example.com`. */
  baseUrl: string;
  /** Keeps the session across restarts: `localStorage`, or AsyncStorage in React Native. Default: memory. */
  storage?: ParleyStorage;
  /** Default: the global `fetch`. */
  fetch?: Fetch;
}

/** A client of one Parley server, for one user at a time. */
export class Parley {
  readonly auth: Auth;
  /** Every HTTP call of the server, typed; failures are ParleyErrors. */
  readonly rest: Rest;
  private readonly stopListening: () => void;

  /** @internal Use createParley. */
  constructor(options: ParleyOptions) {
    const baseUrl = options.baseUrl.replace(/\/+$/, '');
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    const client = createRestClient(baseUrl, fetch, () => tokens);
    this.rest = new Rest({ client, key: baseUrl });
    const storage = new SessionStorage(options.storage ?? memoryStorage(), `parley:${baseUrl}`);
    const tokens = new SessionTokens(storage, (refresh_token) =>
      withTimeout((signal) => this.rest.refreshTokens({ body: { refresh_token }, signal })),
    );
    this.stopListening = storage.onChange(() => void tokens.sync());
    this.auth = new Auth(this.rest, tokens);
  }

  /** Releases everything; the session stays in the storage. */
  close(): void {
    this.stopListening();
  }
}

export function createParley(options: ParleyOptions): Parley {
  return new Parley(options);
}
