import type {
  Conversation,
  CreateConversation,
  UpdateConversation,
} from '../../../sdk/typescript/src/index.js';
import type { LiveEvent } from '../../../sdk/typescript/src/live/events.js';
import { problem } from './conversation-model.js';

interface Page {
  conversations: Conversation[];
  total: number;
  limit: number;
  offset: number;
  next_cursor: string | null;
}

/** The list of a user's conversations as the API's documents describe it, and the events that it sends. */
export class ListModel {
  private readonly conversations = new Map<number, Conversation>();
  private lastId = 0;
  private time = 0;
  /** Which conversations the pages up to each cursor had. */
  private readonly cursors = new Map<string, Set<number>>();

  /** @param publish called with each event */
  constructor(private readonly publish: (event: LiveEvent) => void) {}

  /** Pinned ones first, then the newest activity. */
  static compare(a: Conversation, b: Conversation): number {
    return Number(b.pinned) - Number(a.pinned) || compareText(b.updated_at, a.updated_at) || b.id - a.id;
  }

  get listed(): Conversation[] {
    return [...this.conversations.values()].filter(({ archived }) => !archived).sort(ListModel.compare);
  }

  get newest(): number {
    return this.lastId;
  }

  /** The id of some conversation. */
  any(n: number): number {
    const ids = [...this.conversations.keys()];
    return ids[n % ids.length] ?? 0;
  }

  /** Pages by cursor neither repeat nor skip a conversation while the list changes. */
  page(limit: number, cursor: string | null): Page {
    const seen = (cursor === null ? undefined : this.cursors.get(cursor)) ?? new Set();
    const left = this.listed.filter(({ id }) => !seen.has(id));
    const conversations = left.slice(0, limit);
    const next_cursor = left.length > limit ? `cursor-${this.cursors.size}` : null;
    if (next_cursor) this.cursors.set(next_cursor, new Set([...seen, ...conversations.map(({ id }) => id)]));
    return structuredClone({ conversations, total: this.listed.length, limit, offset: 0, next_cursor });
  }

  create({ title = 'New chat' }: CreateConversation = {}): Conversation {
    const id = ++this.lastId;
    const updated_at = timeOf(this.time);
    const conversation = { id, title, pinned: false, archived: false, created_at: updated_at, updated_at };
    return this.put('conversation.created', conversation as Conversation);
  }

  update(id: number, changes: UpdateConversation): Conversation {
    // What comes back from the archive is on no page yet.
    if (changes.archived) this.cursors.forEach((seen) => seen.delete(id));
    return this.put('conversation.updated', { ...this.get(id), ...changes } as Conversation);
  }

  /** A message is sent in it. @param later how much later than the last activity, perhaps in the same millisecond */
  use(id: number, later: number): void {
    this.time += later;
    this.put('conversation.updated', { ...this.get(id), updated_at: timeOf(this.time) });
  }

  delete(id: number): void {
    this.get(id);
    this.conversations.delete(id);
    this.publish({ type: 'conversation.deleted', body: { conversation_id: id } });
  }

  private get(id: number): Conversation {
    const conversation = this.conversations.get(id);
    if (!conversation) throw problem(404, 'not_found');
    return conversation;
  }

  private put(
    type: 'conversation.created' | 'conversation.updated',
    conversation: Conversation,
  ): Conversation {
    this.conversations.set(conversation.id, conversation);
    this.publish({ type, body: { conversation: structuredClone(conversation) } });
    return structuredClone(conversation);
  }
}

const compareText = (a: string, b: string) => Number(a > b) - Number(a < b);

const timeOf = (time: number) => new Date(Date.UTC(2026, 0, 1) + time).toISOString();
