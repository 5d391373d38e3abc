'use client';
export {
  useAttachments,
  type UseAttachments,
  useAuth,
  type UseAuth,
  useConnection,
  useConversation,
  type UseConversation,
  useConversations,
  type UseConversations,
  useConversationSelector,
  useMessage,
  useMessageKeys,
  useUpload,
} from './hooks.js';
export { ParleyProvider, type ParleyProviderProps, useParley } from './provider.js';
