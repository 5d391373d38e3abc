import type { ParleyError } from '../error.js';
import type { StoredFile } from '../rest/types.gen.js';
import type { Upload } from '../files/upload.js';
import { clock } from '../platform/clock.js';
import type { ChatSend, Message, MessageStatus } from '../rest/types.gen.js';

/** A message as it is shown: stored by the server, or still to be delivered. */
export interface ChatMessage extends Omit<Message, 'id' | 'status'> {
  /** Stays the same from the moment a message is sent; fit for React's `key`. */
  readonly key: string;
  /** Null until the server has stored the message. */
  readonly id: number | null;
  /** `sending` also while offline; `rejected` when the server refused the message, for the reason in `failure`. */
  readonly status: MessageStatus | 'sending' | 'rejected';
  readonly failure: ParleyError | null;
  /** Files of a message that the server has not stored, each a store of its state; later they are in `files`. */
  readonly uploads: readonly Upload[];
}

const NO_UPLOADS: readonly Upload[] = [];

const views = new WeakMap<Message, ChatMessage>();

/** Returns the same view for the same message. */
export function viewOf(message: Message): ChatMessage {
  let view = views.get(message);
  if (!view) {
    const key = message.client_message_id ?? String(message.id);
    view = { ...message, key, failure: null, uploads: NO_UPLOADS };
    views.set(message, view);
  }
  return view;
}

/** The view of a message that the server has not stored. */
export function pendingView(
  body: ChatSend & { client_message_id: string },
  uploads: readonly Upload[],
  files: readonly StoredFile[],
): ChatMessage {
  return {
    key: body.client_message_id,
    client_message_id: body.client_message_id,
    id: null,
    conversation_id: body.conversation_id,
    parent_id: null,
    role: 'user',
    content: body.content ?? '',
    reasoning: '',
    status: 'sending',
    failure: null,
    finish_reason: null,
    error: null,
    model_name: null,
    usage: null,
    files: [...files],
    uploads,
    sources: [],
    sibling_ids: [],
    created_at: new Date(clock.now()).toISOString(),
    completed_at: null,
  };
}
