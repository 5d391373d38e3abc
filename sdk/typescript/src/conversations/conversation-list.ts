import { UserChange } from '../auth/user-change.js';
import { ParleyError } from '../error.js';
import { withTimeout } from '../http/timeout.js';
import type { Connection } from '../live/connection.js';
import type { LiveEvent } from '../live/events.js';
import type {
  Conversation,
  ConversationList as Page,
  CreateConversation,
  Rest,
  UpdateConversation,
} from '../rest/index.js';
import { Store } from '../store.js';

export interface ConversationListSnapshot {
  /** Pinned ones first, then the newest activity; archived ones are left out. */
  readonly conversations: readonly Conversation[];
  /** Whether `loadMore` has more to load. */
  readonly hasMore: boolean;
  readonly status: 'idle' | 'loading' | 'ready' | 'failed';
  readonly error: ParleyError | null;
}

const INITIAL: ConversationListSnapshot = { conversations: [], hasMore: false, status: 'idle', error: null };
const PAGE = 20;
const LARGEST_PAGE = 100;

/** The user's conversations: a store that is read when first observed and kept up to date from then on. */
export class ConversationList extends Store<ConversationListSnapshot> {
  private cursor: string | null = null;
  private reading: Promise<void> | null = null;
  private timer?: ReturnType<typeof setInterval>;
  private readonly user = new UserChange();
  /** What changed while a page was read: null for what was deleted. */
  private changes = new Map<number, Conversation | null>();

  /** @internal Use `parley.conversations`. */
  constructor(
    private readonly rest: Rest,
    private readonly connection: Connection,
  ) {
    super(INITIAL);
    connection.opened.on(() => void (this.isInUse && this.refresh().catch(() => undefined)));
  }

  /** Reads the list again from its beginning. Called by the client whenever it may have missed something. */
  async refresh(): Promise<void> {
    await this.whenIdle();
    await this.read(null, Math.min(LARGEST_PAGE, Math.max(PAGE, this.getSnapshot().conversations.length)));
  }

  /** Loads the next page; simultaneous calls load one. */
  async loadMore(limit = PAGE): Promise<void> {
    await this.whenIdle();
    if (this.cursor) await this.read(this.cursor, limit);
  }

  create(settings: CreateConversation = {}): Promise<Conversation> {
    return this.show(withTimeout((signal) => this.rest.createConversation({ body: settings, signal })));
  }

  update(id: number, changes: UpdateConversation): Promise<Conversation> {
    const options = { path: { id }, body: changes };
    return this.show(withTimeout((signal) => this.rest.updateConversation({ ...options, signal })));
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

  /** Shows the conversations of whoever is signed in. @internal */
  reset(): void {
    this.user.reset();
    this.cursor = null;
    this.reading = null;
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
    if (!this.connection.isLive && !this.reading) void this.refresh().catch(() => undefined);
  }

  private async whenIdle(): Promise<void> {
    while (this.reading) await this.reading.catch(() => undefined);
  }

  private read(cursor: string | null, limit: number): Promise<void> {
    if (this.reading) return this.reading;
    const reading = this.readPage(cursor, limit).finally(() => {
      if (this.reading === reading) this.reading = null;
    });
    return (this.reading = reading);
  }

  private async readPage(cursor: string | null, limit: number): Promise<void> {
    const before = this.getSnapshot();
    if (before.status !== 'ready') this.set({ ...before, status: 'loading' });
    this.changes.clear();
    const show = this.user.unlessReset((page: Page) => this.showPage(page, cursor === null));
    const fail = this.user.unlessReset((error: ParleyError) =>
      this.set({ ...this.getSnapshot(), status: 'failed', error }),
    );
    try {
      const query = cursor ? { limit, cursor } : { limit };
      show(await withTimeout((signal) => this.rest.listConversations({ query, signal })));
    } catch (error) {
      fail(error as ParleyError);
      throw error;
    }
  }

  private showPage({ conversations, next_cursor }: Page, isFirst: boolean): void {
    this.cursor = next_cursor;
    const known = isFirst ? [] : this.getSnapshot().conversations;
    const read = withoutRepeats([...known, ...conversations]).filter(({ id }) => !this.changes.has(id));
    this.set({ conversations: read, hasMore: this.cursor !== null, status: 'ready', error: null });
    for (const [id, conversation] of this.changes) this.change(id, conversation);
  }

  private async show(requested: Promise<Conversation>): Promise<Conversation> {
    const show = this.user.unlessReset((each: Conversation) => this.change(each.id, each));
    const conversation = await requested;
    show(conversation);
    return conversation;
  }

  private change(id: number, conversation: Conversation | null): void {
    this.changes.set(id, conversation);
    const snapshot = this.getSnapshot();
    const others = snapshot.conversations.filter((each) => each.id !== id);
    const conversations = conversation && !conversation.archived ? this.insert(others, conversation) : others;
    if (conversations.length === 0 && snapshot.conversations.length === 0) return;
    this.set({ ...snapshot, conversations });
  }

  /** What belongs on a page that is not loaded is left to `loadMore`. */
  private insert(others: readonly Conversation[], conversation: Conversation): readonly Conversation[] {
    const at = others.findIndex((each) => compare(conversation, each) < 0);
    if (at < 0) return this.cursor === null ? [...others, conversation] : others;
    return [...others.slice(0, at), conversation, ...others.slice(at)];
  }
}

function compare(a: Conversation, b: Conversation): number {
  if (a.pinned !== b.pinned) return a.pinned ? -1 : 1;
  if (a.updated_at !== b.updated_at) return a.updated_at > b.updated_at ? -1 : 1;
  return b.id - a.id;
}

function withoutRepeats(conversations: readonly Conversation[]): readonly Conversation[] {
  return [...new Map(conversations.map((conversation) => [conversation.id, conversation])).values()];
}
