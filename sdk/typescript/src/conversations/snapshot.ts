import type { ParleyError } from '../error.js';
import type { Conversation } from '../rest/types.gen.js';
import { type Branch, isStreaming } from './branch.js';
import { type ChatMessage, viewOf } from './chat-message.js';
import type { OutboxEntry } from './outbox.js';

export interface ConversationSnapshot {
  /** Title, settings and counts; null until they are read. */
  readonly conversation: Conversation | null;
  /** The active branch, oldest first, then what is not delivered yet. Unchanged messages stay the same objects. */
  readonly messages: readonly ChatMessage[];
  /** The reply under way; it is the last stored message. */
  readonly running: ChatMessage | null;
  /** Whether `loadEarlier` has more to load. */
  readonly hasMore: boolean;
  readonly status: ConversationStatus;
  /** Why it could not be read. */
  readonly error: ParleyError | null;
}

export type ConversationStatus = 'idle' | 'loading' | 'ready' | 'failed' | 'deleted';

export const INITIAL: ConversationSnapshot = {
  conversation: null,
  messages: [],
  running: null,
  hasMore: false,
  status: 'idle',
  error: null,
};

export function snapshotOf(
  branch: Branch,
  outbox: readonly OutboxEntry[],
  status: ConversationStatus,
  error: ParleyError | null,
): ConversationSnapshot {
  const { conversation, messages, hasMore } = branch;
  const last = messages.at(-1);
  const running = last && isStreaming(last) ? viewOf(last) : null;
  return { conversation, messages: shown(branch, outbox), running, hasMore, status, error };
}

/** An edit under way takes the place of the edited message and of what followed. */
function shown({ messages }: Branch, outbox: readonly OutboxEntry[]): readonly ChatMessage[] {
  const stored = new Set(messages.map(({ client_message_id }) => client_message_id));
  const pending = outbox.filter(({ view }) => !stored.has(view.key));
  const edited = pending.find(
    ({ draft, view }) => draft.command === 'chat.edit' && view.status === 'sending',
  );
  const editedId = edited?.draft.command === 'chat.edit' ? edited.draft.body.message_id : null;
  const cut = messages.findIndex(({ id }) => id === editedId);
  const kept = cut < 0 ? messages : messages.slice(0, cut);
  return [...kept.map(viewOf), ...pending.map(({ view }) => view)];
}
