import type { Conversation, ConversationPage, Message, Turn } from '../rest/types.gen.js';
import type { LiveEvent } from '../live/events.js';
import type { Draft } from './outbox.js';

/**
 * The active branch of a conversation as far as it is known. Immutable; messages keep their identity until they change.
 */
export interface Branch {
  readonly conversation: Conversation | null;
  /** Oldest first. */
  readonly messages: readonly Message[];
  /** Whether there are older messages. */
  readonly hasMore: boolean;
  /** A reply that is not on the active branch, as far as it was followed. */
  readonly aside: Message | null;
  /** The highest id seen. Ids rise, so a lower one that is unknown is on another branch. */
  readonly newestId: number;
  /** Whether something was missed, so that the conversation has to be read again. */
  readonly isStale: boolean;
}

export const EMPTY: Branch = {
  conversation: null,
  messages: [],
  hasMore: false,
  aside: null,
  newestId: 0,
  isStale: false,
};

/** Events of this conversation; others leave it unchanged. A repeat returns the same branch. */
export function applyEvent(branch: Branch, { type, body }: LiveEvent): Branch {
  switch (type) {
    case 'message.created':
      return add(branch, body.message);
    case 'message.delta':
      return extend(branch, body);
    case 'message.completed':
      return complete(branch, body.message);
    case 'message.restarted':
      return restart(branch, body.message);
    case 'conversation.updated':
      return update(branch, body.conversation);
    case 'config.changed':
    case 'conversation.created':
    case 'conversation.deleted':
    case 'session.expiring':
      return branch;
  }
}

/**
 * The newest page of the active branch.
 * @param basis what was known when the page was requested: events since then may have overtaken it, and what they
 *   brought is kept; by default the page came in order with the events
 */
export function applyPage(branch: Branch, page: ConversationPage, basis: Branch = branch): Branch {
  const { messages: read, has_more, ...conversation } = page;
  const isUpdated = basis.conversation !== branch.conversation;
  if (isUpdated && branch.conversation?.active_message_id !== page.active_message_id) return stale(branch);
  const messages = read.map((message) => newer(findMessage(branch, message.id), message, basis === branch));
  const parentId = messages[0]?.parent_id ?? null;
  const at = parentId === null ? -1 : indexOf(branch, parentId);
  const before = branch.messages.slice(0, at + 1);
  // A reply whose end was missed is read again by loadEarlier.
  const earlier = before.some(isStreaming) ? [] : before;
  const all = withLater(branch, [...earlier, ...messages]);
  const running = runningReply(branch);
  // A reply that was known before, and is not on the page, has ended meanwhile: replies run on the active branch.
  const isNew = running && !findMessage(basis, running.id) && !all.some(({ id }) => id === running.id);
  return {
    conversation: isUpdated ? branch.conversation : unlessEqual(branch.conversation, conversation),
    messages: unlessSame(branch.messages, all),
    hasMore: earlier.length > 0 ? branch.hasMore : has_more,
    aside: isNew ? running : null,
    newestId: Math.max(branch.newestId, ...all.flatMap(({ id, sibling_ids }) => [id, ...sibling_ids])),
    isStale: false,
  };
}

/** The answer to a send, an edit or a regenerate. */
export function applyTurn(branch: Branch, { user_message, assistant_message }: Turn): Branch {
  const added = add(add(branch, user_message), assistant_message);
  const known = findMessage(added, assistant_message.id);
  return known ? replace(added, newer(known, assistant_message)) : added;
}

/** A page of messages older than the first known one. */
export function applyEarlier(branch: Branch, page: ConversationPage): Branch {
  const first = branch.messages[0];
  if (!first || page.messages.at(-1)?.id !== first.parent_id) return branch;
  return { ...branch, messages: [...page.messages, ...branch.messages], hasMore: page.has_more };
}

export function findMessage(branch: Branch, id: number): Message | undefined {
  return branch.aside?.id === id ? branch.aside : branch.messages[indexOf(branch, id)];
}

/** Files that an edit keeps. */
export function filesKept(branch: Branch, { command, body }: Draft): Message['files'] {
  const isKept = command === 'chat.edit' && !body.file_ids;
  return (isKept && findMessage(branch, body.message_id)?.files) || [];
}

export const isStreaming = ({ status }: Message): boolean => status === 'streaming';

/** The reply that runs, on whichever branch. Nothing can follow it on its own. */
export function runningReply({ messages, aside }: Branch): Message | null {
  return [messages.at(-1), aside].find((message) => message && isStreaming(message)) ?? null;
}

/** One reply runs at a time; a message that the server has already is sent again at once, to get its answer. */
export function isReadyFor(branch: Branch, clientMessageId: string): boolean {
  const isStored = branch.messages.some(({ client_message_id }) => client_message_id === clientMessageId);
  return isStored || !runningReply(branch);
}

/** A new message follows its parent, and what followed that before is on another branch from then on. */
function add(branch: Branch, message: Message): Branch {
  if (message.id <= branch.newestId) return branch;
  const next = { ...branch, newestId: message.id };
  const at = message.parent_id === null ? -1 : indexOf(branch, message.parent_id);
  if (message.parent_id !== null && at < 0) {
    return { ...next, isStale: true, aside: isStreaming(message) ? message : branch.aside };
  }
  const left = branch.messages.slice(at + 1).find(isStreaming) ?? null;
  return {
    ...next,
    messages: [...branch.messages.slice(0, at + 1), message],
    hasMore: at >= 0 && branch.hasMore,
    aside: left ?? branch.aside,
  };
}

type Delta = Extract<LiveEvent, { type: 'message.delta' }>['body'];

/** `part = part.slice(0, offset) + text`, counted in UTF-16 code units. */
function extend(branch: Branch, { message_id, part, offset, text }: Delta): Branch {
  const message = findMessage(branch, message_id);
  if (!message) return stale(branch);
  const before = message[part];
  if (!isStreaming(message)) return branch;
  if (offset > before.length) return stale(branch);
  // Text that is known already changes nothing; a delta without text cuts off what follows.
  if (text !== '' && before.startsWith(text, offset)) return branch;
  const after = before.slice(0, offset) + text;
  return after === before ? branch : replace(branch, { ...message, [part]: after });
}

const stale = (branch: Branch): Branch => (branch.isStale ? branch : { ...branch, isStale: true });

function complete(branch: Branch, message: Message): Branch {
  const known = findMessage(branch, message.id);
  if (!known) return add(branch, message);
  return isStreaming(known) ? replace(branch, message) : branch;
}

function restart(branch: Branch, message: Message): Branch {
  const known = findMessage(branch, message.id);
  if (!known) return add(branch, message);
  return isStreaming(known) ? replace(branch, message) : branch;
}

function update(branch: Branch, conversation: Conversation): Branch {
  const { active_message_id } = conversation;
  const isOther = active_message_id !== null && active_message_id !== branch.messages.at(-1)?.id;
  return { ...branch, conversation, isStale: branch.isStale || isOther };
}

function replace(branch: Branch, message: Message): Branch {
  const at = indexOf(branch, message.id);
  if (at < 0) return { ...branch, aside: message };
  if (branch.messages[at] === message) return branch;
  const messages = [...branch.messages];
  messages[at] = message;
  return { ...branch, messages };
}

/** The later one of two states of a message. A reply that has ended does not run again. */
function newer(known: Message | undefined, read: Message, isOrdered = false): Message {
  if (!known) return read;
  if (!isOrdered && isStreaming(known) && isStreaming(read) && isAhead(known, read)) return known;
  if (!isStreaming(known) && isStreaming(read)) return known;
  return unlessEqual(known, read);
}

function isAhead(known: Message, read: Message): boolean {
  return known.content.startsWith(read.content) && known.reasoning.startsWith(read.reasoning);
}

/** Appends known messages that follow those that were read: they are newer than the page. */
function withLater(branch: Branch, messages: Message[]): Message[] {
  const all = [...messages];
  for (const message of branch.messages) {
    const last = all.at(-1);
    if (message.parent_id === (last?.id ?? null) && message.id > (last?.id ?? 0)) all.push(message);
  }
  return all;
}

function indexOf({ messages }: Branch, id: number): number {
  for (let index = messages.length - 1; index >= 0; index--) if (messages[index]!.id === id) return index;
  return -1;
}

function unlessEqual<T>(known: T, read: NonNullable<T>): NonNullable<T> {
  return known && JSON.stringify(known) === JSON.stringify(read) ? known : read;
}

function unlessSame(known: readonly Message[], read: readonly Message[]): readonly Message[] {
  return known.length === read.length && known.every((message, index) => message === read[index])
    ? known
    : read;
}
