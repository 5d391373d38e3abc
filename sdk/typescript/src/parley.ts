import { Auth } from './auth/auth.js';
import { SessionTokens, signedOutError } from './auth/session-tokens.js';
import { memoryStorage, type ParleyStorage, SessionStorage, type StoredSession } from './auth/storage.js';
import { Conversation } from './conversations/conversation.js';
import { ConversationList } from './conversations/conversation-list.js';
import type { PostForEvents } from './conversations/turn-requests.js';
import { authorizedFetch, createRestClient, type Fetch } from './http/rest-client.js';
import { withTimeout } from './http/timeout.js';
import { Connection } from './live/connection.js';
import type { LiveEvent } from './live/events.js';
import { Rest } from './rest/index.js';

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
  /** The live connection: a store of 'connecting', 'live' or 'offline'. */
  readonly connection: Connection;
  /** The list of conversations: a store, and the calls that change it. */
  readonly conversations: ConversationList;
  private readonly fetch: Fetch;
  private readonly baseUrl: string;
  private readonly tokens: SessionTokens;
  private readonly opened = new Map<number, Conversation>();
  private readonly stopListening: () => void;
  private userId: number | undefined;

  /** @internal Use createParley. */
  constructor({ baseUrl, storage = memoryStorage(), fetch, reconnect }: ParleyOptions) {
    this.baseUrl = baseUrl.replace(/\/+$/, '');
    this.fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
    const client = createRestClient(this.baseUrl, this.fetch, () => this.tokens);
    this.rest = new Rest({ client, key: this.baseUrl });
    const sessions = new SessionStorage(storage, `parley:${this.baseUrl}`);
    this.tokens = new SessionTokens(sessions, (refresh_token) =>
      withTimeout((signal) => this.rest.refreshTokens({ body: { refresh_token }, signal })),
    );
    this.stopListening = sessions.onChange(() => void this.tokens.sync());
    this.connection = new Connection(this.baseUrl, this.tokens, reconnect);
    this.conversations = new ConversationList(this.rest, this.connection);
    this.connection.events.on((event) => this.dispatch(event));
    this.tokens.changed.on((session) => this.sessionChanged(session));
    this.auth = new Auth(this.rest, this.tokens);
  }

  /** One conversation: a store, and the calls that change it. The same object for the same id, until it is closed. */
  conversation(id: number): Conversation {
    let conversation = this.opened.get(id);
    if (!conversation) {
      const { rest, connection } = this;
      const forget = () => void this.opened.delete(id);
      conversation = new Conversation(id, { rest, connection, post: this.post, forget });
      this.opened.set(id, conversation);
    }
    return conversation;
  }

  /** Ends the connection and every conversation; the session stays in the storage. */
  close(): void {
    this.stopListening();
    for (const conversation of [...this.opened.values()]) conversation.close();
    this.connection.close();
  }

  private readonly post: PostForEvents = async (path, body, signal) => {
    const headers = {
      Accept: 'text/event-stream',
      'Content-Type': 'application/json',
      Authorization: `Bearer ${await this.tokens.accessToken()}`,
    };
    const init = { method: 'POST', headers, body: JSON.stringify(body), signal };
    return authorizedFetch(new Request(this.baseUrl + path, init), this.fetch, this.tokens);
  };

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
    this.conversations.reset();
  }
}

export function createParley(options: ParleyOptions): Parley {
  return new Parley(options);
}

function conversationIdOf({ body }: LiveEvent): number | undefined {
  if ('conversation_id' in body) return body.conversation_id;
  return 'conversation' in body ? body.conversation.id : undefined;
}
