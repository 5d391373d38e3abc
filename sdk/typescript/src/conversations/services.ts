import type { DraftStorage } from './draft-storage.js';
import type { Attachable, Files } from '../files/files.js';
import type { UploadState } from '../files/upload.js';
import type { RequestEvents } from '../http/event-stream.js';
import type { Connection } from '../live/connection.js';
import type { ChatEdit, ChatRegenerate, ChatSend, Rest } from '../rest/index.js';

type Identity = 'conversation_id' | 'message_id' | 'content' | 'client_message_id';

export interface FileOptions {
  /** Sent before the text, in this order, once they are uploaded. An edit without `files` keeps those of the message. */
  files?: readonly Attachable[];
  /** Called with the states of all files after each change. */
  onProgress?: (uploads: readonly UploadState[]) => void;
  /** Takes the message back unless it is delivered; `stop` ends the reply. */
  signal?: AbortSignal;
}

/** What can be sent beside the text. */
export type SendOptions = Omit<ChatSend, Identity> & FileOptions;
export type EditOptions = Omit<ChatEdit, Identity> & FileOptions;
export type RegenerateOptions = Omit<ChatRegenerate, Identity>;

/** What a conversation works with. */
export interface ConversationServices {
  rest: Rest;
  connection: Connection;
  requestEvents: RequestEvents;
  drafts: DraftStorage;
  files: Files;
  /** Forgets a conversation that was closed. */
  forget(id: number): void;
}
