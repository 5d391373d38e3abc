import { ParleyError } from '../error.js';
import { withTimeout } from '../http/timeout.js';
import type { Connection } from '../live/connection.js';
import type { LiveEvent } from '../live/events.js';
import type { Conversation, CreateConversation, Rest, UpdateConversation } from '../rest/index.js';
import { Store } from '../store.js';

export interface ConversationListSnapshot {
  /** Pinned ones first, then the newest activity; archived ones are left out. */
  readonly conversations: readonly Conversation[];
  /** Whether `loadMore` has more to load. */
  readonly hasMore: boolean;
  readonly status: 'idle' | 'loading' | 'ready' | 'failed';
  readonly error: ParleyError | null;
}

type Changes = Map<number, Conversation | null>;

const INITIAL: ConversationListSnapshot = { conversations: [], hasMore: false, status: 'idle', error: null };
const PAGE = 20;
const LARGEST_PAGE = 100;

/** The user's conversations: a store that is read when first observed and kept up to date from then on. */
export class ConversationList extends Store<ConversationListSnapshot> {
  private cursor: string | null = null;
  /** The last read; the next one follows it. */
  private last: Promise<void> = Promise.resolve();
  /** Reads that have not begun, shared by simultaneous callers. */
  private refreshing: Promise<void> | null = null;
  private loading: Promise<void> | null = null;
  private timer?: ReturnType<typeof setInterval>;
  /** Changes received during each request of the user, which its answer may lack: null for a deletion. */
  private requests = new Set<Changes>();
  private readonly deleted = new Set<number>();

  /** @internal Use `parley.conversations`. */
  constructor(
    private readonly rest: Rest,
    private readonly connection: Connection,
  ) {
    super(INITIAL);
    connection.opened.on(() => void (this.isInUse && this.refresh().catch(() => undefined)));
  }

  /** Reads the list again from its beginning. Called by the client whenever it may have missed something. */
  refresh(): Promise<void> {
    return (this.refreshing ??= this.inTurn(() => {
      this.refreshing = null;
      const shown = this.getSnapshot().conversations.length;
      return this.readPage(null, Math.min(LARGEST_PAGE, Math.max(PAGE, shown)));
    }));
  }

  /** Loads the next page; simultaneous calls load one. */
  loadMore(limit = PAGE): Promise<void> {
    return (this.loading ??= this.inTurn(async () => {
      this.loading = null;
      if (this.cursor) await this.readPage(this.cursor, limit);
    }));
  }

  create(settings: CreateConversation = {}): Promise<Conversation> {
    return this.put((signal) => this.rest.createConversation({ body: settings, signal }));
  }

  update(id: number, changes: UpdateConversation): Promise<Conversation> {
    return this.put((signal) => this.rest.updateConversation({ path: { id }, body: changes, signal }));
  }

  rename(id: number, title: string): Promise<Conversation> {
    return this.update(id, { title });
  }

  pin(id: number, pinned = true): Promise<Conversation> {
    return this.update(id, { pinned });
  }

  archive(id: number, archived = true): Promise<Conversation> {
    return this.update(id, { archived });
  }

  async delete(id: number): Promise<void> {
    await withTimeout((signal) => this.rest.deleteConversation({ path: { id }, signal }));
    this.change(id, null);
  }

  /** @internal */
  handle({ type, body }: LiveEvent): void {
    if (type === 'conversation.deleted') this.change(body.conversation_id, null);
    if (type === 'conversation.created' || type === 'conversation.updated')
      this.change(body.conversation.id, body.conversation);
  }

  /** Shows the conversations of the user who is signed in now. @internal */
  reset(): void {
    this.cursor = null;
    this.requests = new Set();
    this.last = Promise.resolve();
    this.refreshing = this.loading = null;
    this.set(INITIAL);
    if (this.isObserved) this.begin();
  }

  /** @internal */
  close(): void {
    clearInterval(this.timer);
  }

  protected override observed(): void {
    this.begin();
    this.timer = setInterval(() => this.poll(), this.connection.retryMs);
  }

  protected override unobserved(): void {
    clearInterval(this.timer);
  }

  private get isInUse(): boolean {
    return this.isObserved || this.getSnapshot().status !== 'idle';
  }

  private begin(): void {
    this.connection.need();
    if (this.getSnapshot().status === 'idle') void this.refresh().catch(() => undefined);
  }

  /** Without the connection, no events say what has changed. */
  private poll(): void {
    if (!this.connection.isLive && this.requests.size === 0) void this.refresh().catch(() => undefined);
  }

  /** Reads after those before it, unless the list was reset meanwhile. */
  private inTurn(read: () => Promise<void>): Promise<void> {
    const { requests } = this;
    const done = this.last.then(() => (requests === this.requests ? read() : undefined));
    this.last = done.catch(() => undefined);
    return done;
  }

  private async readPage(cursor: string | null, limit: number): Promise<void> {
    const before = this.getSnapshot();
    if (before.status !== 'ready') this.set({ ...before, status: 'loading' });
    const query = cursor ? { limit, cursor } : { limit };
    await this.request(
      (signal) => this.rest.listConversations({ query, signal }),
      (page, changes) => {
        this.cursor = page.next_cursor;
        const known = cursor ? this.getSnapshot().conversations : [];
        this.show([...known, ...page.conversations], changes);
      },
      (error) => this.set({ ...this.getSnapshot(), status: 'failed', error }),
    );
  }

  /** Only another read shows whether the answer or the events received meanwhile are newer. */
  private put(call: (signal: AbortSignal) => Promise<Conversation>): Promise<Conversation> {
    return this.request(call, (conversation, changes) => {
      const other = changes.get(conversation.id);
      if (JSON.stringify(other) === JSON.stringify(conversation)) return;
      if (other === undefined) this.change(conversation.id, conversation);
      if (other !== undefined || this.requests.size > 0) void this.refresh().catch(() => undefined);
    });
  }

  /** Reports the answer, or the failure, unless somebody else has signed in. */
  private async request<T>(
    call: (signal: AbortSignal) => Promise<T>,
    answered: (answer: T, changes: Changes) => void,
    failed: (error: ParleyError) => void = () => undefined,
  ): Promise<T> {
    const changes: Changes = new Map();
    this.requests.add(changes);
    try {
      const answer = await withTimeout(call);
      if (this.requests.delete(changes)) answered(answer, changes);
      return answer;
    } catch (error) {
      if (this.requests.delete(changes)) failed(error as ParleyError);
      throw error;
    }
  }

  private show(read: readonly Conversation[], changes: Changes): void {
    let conversations: readonly Conversation[] = withoutRepeats(read).sort(compare);
    for (const [id, changed] of changes) conversations = this.changed(conversations, id, changed);
    this.set({ conversations, hasMore: this.cursor !== null, status: 'ready', error: null });
  }

  private change(id: number, conversation: Conversation | null): void {
    // Older events may follow the answer to a deletion.
    if (this.deleted.has(id)) return;
    if (!conversation) this.deleted.add(id);
    for (const changes of this.requests) changes.set(id, conversation);
    const snapshot = this.getSnapshot();
    const conversations = this.changed(snapshot.conversations, id, conversation);
    if (conversations.length > 0 || snapshot.conversations.length > 0)
      this.set({ ...snapshot, conversations });
  }

  /** Leaves conversations of pages that are not loaded to `loadMore`, except those that a page contained. */
  private changed(
    shown: readonly Conversation[],
    id: number,
    changed: Conversation | null,
  ): readonly Conversation[] {
    const others = shown.filter((each) => each.id !== id);
    if (!changed || changed.archived) return others;
    const at = others.findIndex((each) => compare(changed, each) < 0);
    if (at >= 0) return [...others.slice(0, at), changed, ...others.slice(at)];
    return this.cursor === null || others.length < shown.length ? [...others, changed] : others;
  }
}

function compare(a: Conversation, b: Conversation): number {
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
  if (a.updated_at !== b.updated_at) return a.updated_at > b.updated_at ? -1 : 1;
  return b.id - a.id;
}

function withoutRepeats(conversations: readonly Conversation[]): Conversation[] {
  return [...new Map(conversations.map((conversation) => [conversation.id, conversation])).values()];
}
