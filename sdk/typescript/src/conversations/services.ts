import type { DraftStorage } from './draft-storage.js';
import type { RequestEvents } from '../http/event-stream.js';
import type { Connection } from '../live/connection.js';
import type { ChatEdit, ChatRegenerate, ChatSend, Rest } from '../rest/index.js';

type Identity = 'conversation_id' | 'message_id' | 'content' | 'client_message_id';

/** What can be sent beside the text. */
export type SendOptions = Omit<ChatSend, Identity>;
export type EditOptions = Omit<ChatEdit, Identity>;
export type RegenerateOptions = Omit<ChatRegenerate, Identity>;

/** What a conversation works with. */
export interface ConversationServices {
  rest: Rest;
  connection: Connection;
  requestEvents: RequestEvents;
  drafts: DraftStorage;
  /** Forgets a conversation that was closed. */
  forget(id: number): void;
}
