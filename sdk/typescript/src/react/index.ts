'use client';
export {
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
} from './hooks.js';
export { ParleyProvider, type ParleyProviderProps, useParley } from './provider.js';
