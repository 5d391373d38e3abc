import type { Conversation } from '../../conversations/conversation.entity.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import type { StoredFileDto } from '../../files/file.dto.js';
import type { Message } from '../../conversations/messages/message.entity.js';
import type { TokenQuota } from '../../usage/token-quota.js';

export interface UserText {
  content: string;
  /** In lower case, because UUIDs are case-insensitive. */
  clientMessageId: string | null;
  /** The client's own spelling, if it is not in lower case. */
  clientMessageSpelling?: string | null;
  /** In their order. Undefined in an edit keeps the files. */
  fileIds?: number[];
}

/** Request to add a message at the end of the active branch. */
export interface SendRequest extends UserText {
  kind: 'send';
}

/** Request to start a turn. */
export type TurnRequest =
  SendRequest | ({ kind: 'edit'; messageId: number } & UserText) | { kind: 'regenerate'; messageId: number };

export interface ReplyOrigin {
  nodeId: string;
  configId: number | null;
  modelName: string;
}

/** Parameters of a new turn. */
export interface StartTurn<T extends TurnRequest = TurnRequest> {
  userId: number;
  conversationId: number;
  request: T;
  origin: ReplyOrigin;
  /** Absent for any number of tokens. */
  quota?: TokenQuota;
}

/** User message and its reply. */
export interface Turn {
  userMessage: MessageDto;
  assistantMessage: MessageDto;
  /** The conversation after the turn started; null if an earlier send with the same id started it. */
  conversation: Conversation | null;
}

/** @param siblings by message id; a message without an entry has no siblings */
export function toTurn(
  userMessage: Message,
  reply: Message,
  siblings: Map<number, number[]>,
  conversation: Conversation | null,
  files: StoredFileDto[] = [],
): Turn {
  const siblingIds = ({ id }: Message) => siblings.get(id) ?? [id];
  return {
    userMessage: MessageDto.from(userMessage, siblingIds(userMessage), files),
    assistantMessage: MessageDto.from(reply, siblingIds(reply)),
    conversation,
  };
}
