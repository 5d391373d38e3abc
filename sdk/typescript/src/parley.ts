import { Auth } from './auth/auth.js';
import { SessionTokens, signedOutError } from './auth/session-tokens.js';
import { memoryStorage, type ParleyStorage, SessionStorage, type StoredSession } from './auth/storage.js';
import { Conversation } from './conversations/conversation.js';
import { ConversationList } from './conversations/conversation-list.js';
import { DraftStorage } from './conversations/draft-storage.js';
import type { Draft } from './conversations/outbox.js';
import { Files } from './files/files.js';
import type { RequestEvents } from './http/event-stream.js';
import { createFileUpload } from './http/file-upload.js';
import { createEventRequest, createRestClient, type Fetch } from './http/rest-client.js';
import { withTimeout } from './http/timeout.js';
import { Connection, type ConnectionStatus } from './live/connection.js';
import type { LiveEvent } from './live/events.js';
import { Rest } from './rest/index.js';
import type { Readable } from './store.js';

export interface ParleyOptions {
  /** Where the server is, with a path prefix if it has one: `https://chat.example.com`. */
  baseUrl: string;
  /** Keeps the session across restarts: `localStorage`, or AsyncStorage in React Native. Default: memory. */
  storage?: ParleyStorage;
  /** Default: the global `fetch`. */
  fetch?: Fetch;
  /** How long to wait between attempts to reconnect: doubled from 500 ms to 10 s by default. */
  reconnect?: { initialMs?: number; maxMs?: number };
}

/** A client of one Parley server, for one user at a time. */
export class Parley {
  readonly auth: Auth;
  /** Every HTTP call of the server, typed; failures are ParleyErrors. */
  readonly rest: Rest;
  /** Whether events arrive: a store of 'connecting', 'live' or 'offline'. */
  readonly status: Readable<ConnectionStatus>;
  /** @internal */
  readonly connection: Connection;
  /** The list of conversations: a store, and the calls that change it. */
  readonly conversations: ConversationList;
  /** Uploads, and links to stored files. */
  readonly files: Files;
  private readonly requestEvents: RequestEvents;
  private readonly tokens: SessionTokens;
  private readonly drafts: DraftStorage;
  private readonly opened = new Map<number, Conversation>();
  private readonly stopListening: () => void;
  private userId: number | undefined;

  /** @internal Use createParley. */
  constructor({ baseUrl, storage = memoryStorage(), fetch, reconnect }: ParleyOptions) {
    const url = baseUrl.replace(/\/+$/, '');
    const send = fetch ?? ((input, init) => globalThis.fetch(input, init));
    const client = createRestClient(url, send, () => this.tokens);
    this.rest = new Rest({ client, key: url });
    const sessions = new SessionStorage(storage, `parley:${url}`);
    this.tokens = new SessionTokens(sessions, (refresh_token) =>
      withTimeout((signal) => this.rest.refreshTokens({ body: { refresh_token }, signal })),
    );
    this.drafts = new DraftStorage(storage, `parley:${url}:drafts`, this.tokens.ready);
    this.requestEvents = createEventRequest(url, send, this.tokens);
    this.stopListening = sessions.onChange(() => void this.tokens.sync());
    this.connection = new Connection(url, this.tokens, reconnect);
    this.status = this.connection;
    this.conversations = new ConversationList(this.rest, this.connection);
    const post = createFileUpload(url, fetch, this.tokens);
    this.files = new Files(url, { rest: this.rest, connection: this.connection, post });
    this.connection.events.on((event) => this.dispatch(event));
    this.tokens.changed.on((session) => this.sessionChanged(session));
    this.tokens.signedOut.on((reason) => reason === 'logout' && this.drafts.clear());
    this.auth = new Auth(this.rest, this.tokens);
  }

  /** One conversation: a store, and the calls that change it. The same object for the same id, until it is closed. */
  conversation(id: number): Conversation {
    let conversation = this.opened.get(id);
    if (!conversation) {
      const { rest, connection, requestEvents, drafts, files } = this;
      const forget = () => void this.opened.delete(id);
      conversation = new Conversation(id, { rest, connection, requestEvents, drafts, files, forget });
      this.opened.set(id, conversation);
    }
    return conversation;
  }

  /**
   * Connects at once, and tests a connection that may have died while the device slept. Browsers need not call it; in
   * React Native, call it when the app returns to the foreground.
   */
  wake(): void {
    this.connection.wake();
  }

  /** Ends the connection and every conversation; the session stays in the storage. */
  close(): void {
    this.stopListening();
    for (const conversation of [...this.opened.values()]) conversation.end();
    this.conversations.close();
    this.files.abort();
    this.connection.close();
  }

  private dispatch(event: LiveEvent): void {
    this.conversations.handle(event);
    const id = conversationIdOf(event);
    if (id !== undefined) this.opened.get(id)?.handle(event);
  }

  private sessionChanged(session: StoredSession | null): void {
    const before = this.userId;
    this.userId = session?.user.id;
    if (before === this.userId) return;
    for (const conversation of this.opened.values())
      if (before !== undefined) conversation.reset(signedOutError());
    if (before !== undefined) this.files.abort(signedOutError());
    this.conversations.reset();
    if (this.userId !== undefined) this.drafts.restored = this.restore(this.userId);
  }

  /** Delivers what an earlier run could not. */
  private async restore(userId: number): Promise<void> {
    this.drafts.userId = userId;
    const found = new Map<number, Draft[]>();
    for (const draft of await this.drafts.read()) {
      const id = draft.body.conversation_id;
      found.set(id, [...(found.get(id) ?? []), draft]);
    }
    if (this.userId === userId) found.forEach((drafts, id) => this.conversation(id).restore(drafts));
  }
}

export function createParley(options: ParleyOptions): Parley {
  return new Parley(options);
}

function conversationIdOf({ body }: LiveEvent): number | undefined {
  if ('conversation_id' in body) return body.conversation_id;
  return 'conversation' in body ? body.conversation.id : undefined;
}
