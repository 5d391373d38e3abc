'use client';
import { useCallback, useMemo, useState } from 'react';
import type { Auth, AuthState } from '../auth/auth.js';
import type { ChatMessage } from '../conversations/chat-message.js';
import type { Conversation } from '../conversations/conversation.js';
import type { ConversationList, ConversationListSnapshot } from '../conversations/conversation-list.js';
import type { ConversationSnapshot } from '../conversations/snapshot.js';
import type { Attachments, AttachmentsSnapshot } from '../files/attachments.js';
import type { Upload, UploadState } from '../files/upload.js';
import type { ConnectionStatus } from '../live/connection.js';
import { useParley } from './provider.js';
import { useBound, useSelection, useStore } from './use-store.js';

const AUTH_CALLS = ['register', 'login', 'logout', 'reload'] as const;
const LIST_CALLS = ['create', 'update', 'rename', 'pin', 'archive', 'delete', 'loadMore', 'refresh'] as const;
const CONVERSATION_CALLS = [
  'send',
  'edit',
  'regenerate',
  'stop',
  'activate',
  'loadEarlier',
  'retry',
  'remove',
] as const;

const ATTACHMENTS_CALLS = ['add', 'remove', 'take'] as const;

export type UseAttachments = AttachmentsSnapshot & Pick<Attachments, (typeof ATTACHMENTS_CALLS)[number]>;
export type UseAuth = AuthState & Pick<Auth, (typeof AUTH_CALLS)[number]>;
export type UseConversations = ConversationListSnapshot & Pick<ConversationList, (typeof LIST_CALLS)[number]>;
export type UseConversation = ConversationSnapshot & Pick<Conversation, (typeof CONVERSATION_CALLS)[number]>;

/** The signed-in user, and the calls that sign in and out. `loading` on a server, and until the storage is read. */
export function useAuth(): UseAuth {
  const { auth } = useParley();
  const state = useStore(auth);
  const calls = useBound(auth, AUTH_CALLS);
  return useMemo(() => ({ ...state, ...calls }), [state, calls]);
}

/** The state of the live connection, for a banner; does not open the connection. */
export function useConnection(): ConnectionStatus {
  return useStore(useParley().connection);
}

/** The list of conversations, read when first used and kept up to date, and the calls that change it. */
export function useConversations(): UseConversations {
  const { conversations } = useParley();
  const snapshot = useStore(conversations);
  const calls = useBound(conversations, LIST_CALLS);
  return useMemo(() => ({ ...snapshot, ...calls }), [snapshot, calls]);
}

/**
 * One conversation, kept open while a component uses it, and the calls that change it. Renders again with each piece
 * of a reply; see `useMessageKeys` for long lists.
 */
export function useConversation(id: number): UseConversation {
  const conversation = useParley().conversation(id);
  const snapshot = useStore(conversation);
  const calls = useBound(conversation, CONVERSATION_CALLS);
  return useMemo(() => ({ ...snapshot, ...calls }), [snapshot, calls]);
}

/**
 * A part of one conversation. Renders again when that part changes.
 * @param select a pure function, defined outside of the component or memoized
 */
export function useConversationSelector<S>(id: number, select: (snapshot: ConversationSnapshot) => S): S {
  return useSelection(useParley().conversation(id), select);
}

/** The keys of the messages, for a list that does not render again while a reply grows. */
export function useMessageKeys(id: number): readonly string[] {
  return useConversationSelector(id, keysOf);
}

/** One message of a conversation; undefined when no message on the active branch has this key. */
export function useMessage(id: number, key: string): ChatMessage | undefined {
  return useConversationSelector(
    id,
    useCallback(({ messages }: ConversationSnapshot) => byKey(messages).get(key), [key]),
  );
}

/**
 * Files for the next message, uploaded while it is written: `send(text, { files: take() })`. Renders again when files
 * come and go or the status of all changes; see `useUpload` for progress.
 */
export function useAttachments(): UseAttachments {
  const { files } = useParley();
  const [attachments] = useState(() => files.attachments());
  const snapshot = useStore(attachments);
  const calls = useBound(attachments, ATTACHMENTS_CALLS);
  return useMemo(() => ({ ...snapshot, ...calls }), [snapshot, calls]);
}

/** The state of one upload, with its progress. */
export function useUpload(upload: Upload): UploadState {
  return useStore(upload);
}

const keysOf = ({ messages }: ConversationSnapshot) => messages.map(({ key }) => key);

const indexes = new WeakMap<readonly ChatMessage[], Map<string, ChatMessage>>();

/** Indexes the messages once for all rows. */
function byKey(messages: readonly ChatMessage[]): Map<string, ChatMessage> {
  let index = indexes.get(messages);
  if (!index) indexes.set(messages, (index = new Map(messages.map((message) => [message.key, message]))));
  return index;
}
