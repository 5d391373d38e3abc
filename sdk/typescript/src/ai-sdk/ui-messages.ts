import type { UIMessage } from 'ai' with { 'resolution-mode': 'import' };
import type { ChatMessage } from '../conversations/chat-message.js';
import type { Message, ReplyError } from '../rest/types.gen.js';
import { type FileUrl, toFileParts } from './file-parts.js';

const METADATA = [
  'parent_id',
  'sibling_ids',
  'finish_reason',
  'model_name',
  'usage',
  'created_at',
  'completed_at',
] as const;

/** What a stored message has beside its parts. A message that `useChat` has just made has none. */
export type ParleyMetadata = Pick<Message, (typeof METADATA)[number]> & Pick<ChatMessage, 'status'>;

/** A message for `useChat`. Why a reply failed is a part of type `data-error`. */
export type ParleyUIMessage = UIMessage<ParleyMetadata, { error: ReplyError }>;

type Part = ParleyUIMessage['parts'][number];

/**
 * Converts messages as the server, or the snapshot of a conversation, has them.
 * @param fileUrl `parley.files.url`, unless the page and the server have the same origin
 */
export function toUIMessages(
  messages: readonly (Message | ChatMessage)[],
  fileUrl: FileUrl = ({ url }) => url,
): ParleyUIMessage[] {
  return messages.map((message) => ({
    id: String(message.id ?? ('key' in message ? message.key : '')),
    role: message.role,
    metadata: metadataOf(message),
    parts: message.role === 'user' ? userParts(message, fileUrl) : replyParts(message),
  }));
}

export function metadataOf(message: Message | ChatMessage): ParleyMetadata {
  const fields = METADATA.map((name) => [name, message[name]]);
  return { ...Object.fromEntries(fields), status: message.status } as ParleyMetadata;
}

/** The parts that follow a reply's text. They are the same as chunks of a stream. */
export function closingParts({ sources, error }: Message | ChatMessage) {
  return [
    ...sources.map(({ url, title }) => ({
      type: 'source-url' as const,
      sourceId: url,
      url,
      ...(title !== null && { title }),
    })),
    ...(error ? [{ type: 'data-error' as const, data: error }] : []),
  ];
}

function userParts(message: Message | ChatMessage, fileUrl: FileUrl): Part[] {
  const files = toFileParts(message, fileUrl);
  const { content: text } = message;
  return text || files.length === 0 ? [...files, { type: 'text', text }] : files;
}

function replyParts(message: Message | ChatMessage): Part[] {
  const state = message.status === 'streaming' ? 'streaming' : 'done';
  const { reasoning, content } = message;
  return [
    ...(reasoning ? [{ type: 'reasoning' as const, text: reasoning, state } as const] : []),
    ...(content ? [{ type: 'text' as const, text: content, state } as const] : []),
    ...closingParts(message),
  ];
}
