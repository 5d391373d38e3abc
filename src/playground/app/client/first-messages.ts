import { ParleyError, type Upload } from '@parley/client';
import { draftSettings, keepDraftText, moveDraft, NO_SETTINGS } from './drafts.js';
import { parley } from './parley.js';
import { openConversation, route } from './route.js';
import { Value } from './store.js';

export interface FirstMessage {
  readonly key: string;
  readonly text: string;
  readonly files: readonly Upload[];
}

export interface FirstMessages {
  readonly messages: readonly FirstMessage[];
  /** Why the server refused to create the conversation. */
  readonly failure: ParleyError | null;
}

interface Stored {
  userId: number;
  messages: { text: string; hasFiles: boolean }[];
}

const NONE: FirstMessages = { messages: [], failure: null };
const STORAGE_KEY = 'parley:first-messages';
const RETRY_MS = 3_000;
const TEMPORARY = new Set([0, 429, 502, 503, 504]);

/** The messages of a new chat, until the server has created its conversation. */
export const firstMessages = new Value<FirstMessages>(NONE);

/** Cancels the attempts of another user, or of messages that were removed. */
let run = 0;
let restoredFor: number | undefined;

parley.auth.subscribe(() => {
  const id = parley.auth.user?.id;
  if (id !== undefined && id !== restoredFor) restore(id);
  restoredFor = id;
});

/** Sends a message in the new chat; while the server cannot be reached it waits, also through a reload of the page. */
export function sendFirst(text: string, files: readonly Upload[] = []): void {
  const { messages, failure } = firstMessages.getSnapshot();
  change([...messages, { key: `first-${messages.length}-${Date.now()}`, text, files }]);
  if (messages.length === 0 || failure) void create(++run);
}

export function retryFirst(): void {
  change(firstMessages.getSnapshot().messages);
  void create(++run);
}

export function removeFirst(key: string): void {
  const { messages, failure } = firstMessages.getSnapshot();
  change(
    messages.filter((each) => each.key !== key),
    failure,
  );
}

export function forgetFirst(): void {
  run++;
  change([]);
}

/** Creates the conversation. An attempt whose answer is lost leaves an empty conversation, and no message twice. */
async function create(attempt: number): Promise<void> {
  while (attempt === run) {
    try {
      const { id } = await parley.conversations.create(draftSettings.getSnapshot());
      if (attempt === run) deliver(id);
      return;
    } catch (error) {
      if (attempt !== run) return;
      const refusal = error as ParleyError;
      if (!TEMPORARY.has(refusal.status)) return change(firstMessages.getSnapshot().messages, refusal);
      await connectionOrDelay(Math.max(RETRY_MS, (refusal.retryAfter ?? 0) * 1000));
    }
  }
}

function deliver(id: number): void {
  for (const { text, files } of firstMessages.getSnapshot().messages) {
    parley.conversation(id).send(text, { files: [...files] });
  }
  change([]);
  draftSettings.set(NO_SETTINGS);
  if (route.getSnapshot().conversationId !== null) return;
  moveDraft(id);
  openConversation(id);
}

function connectionOrDelay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    const unsubscribe = parley.connection.opened.on(end);
    function end(): void {
      clearTimeout(timer);
      unsubscribe();
      resolve();
    }
  });
}

function change(messages: readonly FirstMessage[], failure: ParleyError | null = null): void {
  firstMessages.set(messages.length > 0 ? { messages, failure } : NONE);
  const userId = parley.auth.user?.id;
  const stored = messages.map(({ text, files }) => ({ text, hasFiles: files.length > 0 }));
  try {
    if (stored.length === 0) sessionStorage.removeItem(STORAGE_KEY);
    else sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ userId, messages: stored }));
  } catch {
    // Browsers that block site data keep them in memory.
  }
}

/** The text of a message whose files are lost returns to the field. */
function restore(userId: number): void {
  const stored = read();
  if (stored?.userId !== userId) return;
  for (const { text, hasFiles } of stored.messages) {
    if (hasFiles) keepDraftText(null, text);
    else sendFirst(text);
  }
}

function read(): Stored | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null') as Stored | null;
  } catch {
    return null;
  }
}
