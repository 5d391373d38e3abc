export { createParley, type Parley, type ParleyOptions } from './parley.js';
export type { Auth, AuthState } from './auth/auth.js';
export type { SignedOutReason } from './auth/session-tokens.js';
export { memoryStorage, type ParleyStorage } from './auth/storage.js';
export type { ChatMessage } from './conversations/chat-message.js';
export type { Conversation as ConversationStore } from './conversations/conversation.js';
export type {
  ConversationList as ConversationListStore,
  ConversationListSnapshot,
} from './conversations/conversation-list.js';
export type { Reply } from './conversations/reply.js';
export type { ConversationSnapshot, ConversationStatus } from './conversations/snapshot.js';
export { ParleyError } from './error.js';
export type { Attachments, AttachmentsSnapshot } from './files/attachments.js';
export type { FileInput, NamedData, NativeFile } from './files/file-input.js';
export type { Attachable, Files } from './files/files.js';
export type { Upload, UploadState } from './files/upload.js';
export { Retries } from './http/retries.js';
export type { ConnectionStatus } from './live/connection.js';
export type { Readable } from './store.js';
export type { Rest } from './rest/index.js';
export type * from './rest/types.gen.js';
