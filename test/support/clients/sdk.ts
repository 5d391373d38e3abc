import {
  createParley,
  type Parley,
  type ParleyOptions,
  type Readable,
} from '../../../sdk/typescript/src/index.js';
import type { Draft } from '../../../sdk/typescript/src/conversations/outbox.js';
import type { StoredSession } from '../../../sdk/typescript/src/auth/storage.js';
import type { TestApp } from '../app/app.js';
import { tokenWithSecondsLeft } from '../app/access-token.js';
import type { TestUser } from '../app/user.js';

export type SdkFetch = NonNullable<ParleyOptions['fetch']>;

/** A storage that shows what it holds, for clients that share it as tabs share `localStorage`. */
export function sharedStorage() {
  const items = new Map<string, string>();
  const keyOf = (isDrafts: boolean) =>
    [...items.keys()].find((key) => key.endsWith(':drafts') === isDrafts) ?? '';
  const parsed = (isDrafts: boolean) => JSON.parse(items.get(keyOf(isDrafts)) ?? 'null');
  return {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => void items.set(name, value),
    removeItem: (name: string) => void items.delete(name),
    get session() {
      return parsed(false) as StoredSession | null;
    },
    set session(session: StoredSession | null) {
      items.set(keyOf(false), JSON.stringify(session));
    },
    /** The messages that wait to be delivered. */
    get drafts() {
      return (parsed(true) ?? []) as { user_id: number; draft: Draft }[];
    },
    set drafts(drafts: { user_id: number; draft: Draft }[]) {
      items.set(`${keyOf(false)}:drafts`, JSON.stringify(drafts));
    },
    clear: () => items.clear(),
  };
}

export type SharedStorage = ReturnType<typeof sharedStorage>;

/** Replaces the stored access token with one that is valid for so many seconds more, or has expired. */
export function storeTokenWithSecondsLeft(t: TestApp, storage: SharedStorage, seconds: number): void {
  const session = storage.session!;
  const access_token = tokenWithSecondsLeft(t, { tokens: session } as unknown as TestUser, seconds);
  storage.session = { ...session, access_token };
}

/** A client of the test's server, closed with it. */
export function sdk(t: TestApp, options: Partial<ParleyOptions> = {}): Parley {
  const parley = createParley({ baseUrl: t.url, ...options });
  t.opened({ close: async () => parley.close() });
  return parley;
}

/** A client that is signed in as this user. */
export async function sdkFor(
  t: TestApp,
  user: TestUser,
  options: Partial<ParleyOptions> = {},
): Promise<Parley> {
  const parley = sdk(t, options);
  await parley.auth.login({ email: user.email, password: user.password });
  return parley;
}

/** Sends requests to the server and counts them by the end of their path. A test can answer in the server's place. */
export function watchedFetch() {
  const paths: string[] = [];
  const watched = {
    /** Called before each request; may answer or throw in place of the server. */
    before: undefined as
      ((path: string, request: Request) => Response | Promise<Response> | undefined) | undefined,
    /** Called with each answer; discards it by throwing. */
    after: undefined as ((path: string, response: Response) => void) | undefined,
    /** Delays the response to the next request of this method and path, which the server receives at once. */
    hold(method: string, path: string): { arrived(): boolean; open(): void } {
      let open = () => {};
      const opened = new Promise<void>((resolve) => (open = resolve));
      let response: Response | undefined;
      const respond = async (request: Request) => {
        response = await fetch(request);
        await opened;
        return response;
      };
      watched.before = (each, request) => {
        if (each !== path || request.method !== method) return undefined;
        watched.before = undefined;
        return respond(request);
      };
      return { arrived: () => response !== undefined, open: () => open() };
    },
    count: (path: string) => paths.filter((each) => each.endsWith(path)).length,
    fetch: (async (input) => {
      const request = input as Request;
      const { pathname } = new URL(request.url);
      paths.push(pathname);
      const response = (await watched.before?.(pathname, request)) ?? (await fetch(request));
      watched.after?.(pathname, response);
      return response;
    }) as SdkFetch,
  };
  return watched;
}

/** Waits until a store's snapshot fulfils the condition. */
export function settled<T>(
  store: Readable<T>,
  condition: (snapshot: T) => boolean,
  timeoutMs = 10_000,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = () => {
      const snapshot = store.getSnapshot();
      if (!condition(snapshot)) return;
      clearTimeout(timer);
      unsubscribe();
      resolve(snapshot);
    };
    const late = () =>
      reject(new Error(`${condition.toString()} not within ${timeoutMs} ms: ${show(store)}`));
    const timer = setTimeout(() => (unsubscribe(), late()), timeoutMs);
    const unsubscribe = store.subscribe(look);
    look();
  });
}

const show = (store: Readable<unknown>) => JSON.stringify(store.getSnapshot()).slice(0, 1000);
