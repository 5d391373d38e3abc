import type { ParleyError } from '../error.js';
import type { Message, MessageStatus } from '../rest/types.gen.js';

/** A message as it is shown: stored by the server, or still to be delivered. */
export interface ChatMessage extends Omit<Message, 'id' | 'status'> {
  /** Stays the same from the moment a message is sent; fit for React's `key`. */
  readonly key: string;
  /** Null until the server has stored the message. */
  readonly id: number | null;
  /** `sending` also while offline; `rejected` when the server refused the message, for the reason in `failure`. */
  readonly status: MessageStatus | 'sending' | 'rejected';
  readonly failure: ParleyError | null;
}

const views = new WeakMap<Message, ChatMessage>();

/** Returns the same view for the same message. */
export function viewOf(message: Message): ChatMessage {
  let view = views.get(message);
  if (!view) {
    view = { ...message, key: message.client_message_id ?? String(message.id), failure: null };
    views.set(message, view);
  }
  return view;
}
