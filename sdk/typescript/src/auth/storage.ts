import type { TokenPair, User } from '../rest/types.gen.js';
import { clock } from '../platform/clock.js';
import { onPageEvent } from '../platform/page-events.js';

/** Where the session is kept. `localStorage` fits, and so does React Native's AsyncStorage. */
export interface ParleyStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

/** A signed-in session as it is stored. */
export interface StoredSession extends Omit<TokenPair, 'token_type' | 'refresh_expires_in'> {
  user: User;
  /** When the access token was received, on the device's clock. */
  obtained_at: number;
}

export function memoryStorage(initial: Record<string, string | null> = {}): ParleyStorage {
  const items = new Map(Object.entries(initial));
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}

export function sessionOf(user: User, pair: TokenPair): StoredSession {
  const { access_token, refresh_token, expires_in } = pair;
  return { user, access_token, refresh_token, expires_in, obtained_at: clock.now() };
}

/**
 * One session under one key of a storage, which several tabs may share. Operations run one after the other. A storage
 * that fails (full, or forbidden by the browser) is replaced by memory.
 */
export class SessionStorage {
  private last: string | null = null;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private storage: ParleyStorage,
    readonly key: string,
  ) {}

  /** Returns null also for what this version cannot read. */
  async read(): Promise<StoredSession | null> {
    await this.run(async () => (this.last = await this.storage.getItem(this.key)));
    return parse(this.last);
  }

  write(session: StoredSession): Promise<void> {
    const text = JSON.stringify(session);
    return this.run(async () => {
      this.last = text;
      await this.storage.setItem(this.key, text);
    });
  }

  clear(): Promise<void> {
    return this.run(async () => {
      this.last = null;
      await this.storage.removeItem(this.key);
    });
  }

  /** Notifies of changes by other tabs (browsers only). A cleared storage has no key. */
  onChange(listener: () => void): () => void {
    return onPageEvent('storage', ({ key }) => {
      if (key === this.key || key === null) listener();
    });
  }

  private run(operation: () => Promise<unknown>): Promise<void> {
    const done = this.queue.then(operation).then(
      () => undefined,
      () => void (this.storage = memoryStorage({ [this.key]: this.last })),
    );
    this.queue = done;
    return done;
  }
}

function parse(text: string | null): StoredSession | null {
  try {
    const session = JSON.parse(text ?? 'null') as Partial<StoredSession> | null;
    return session?.user && session.access_token && session.refresh_token ? (session as StoredSession) : null;
  } catch {
    return null;
  }
}
