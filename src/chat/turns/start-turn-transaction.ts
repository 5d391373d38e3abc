import type { EntityManager } from 'typeorm';
import { ConflictError, NotFoundError } from '../../common/errors/errors.js';
import type { Conversation } from '../../conversations/conversation.entity.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { siblingIds } from '../../conversations/messages/sibling-ids.js';
import type { StoredFile } from '../../files/file.entity.js';
import type { MessageFiles } from '../../files/message-files.service.js';
import { refuseOverQuota } from '../../usage/token-quota.js';
import { Branches } from './branches.js';
import { advanceHead, type ConversationHeads } from './conversation-heads.js';
import { newReply, newUserMessage } from './new-messages.js';
import type { RawEntityWriter } from './raw-entity-writer.js';
import { type StartTurn, toTurn, type Turn, type UserText } from './turn.js';

/** Stores one turn in a transaction. */
export class StartTurnTransaction {
  private readonly now = new Date();

  constructor(
    private readonly manager: EntityManager,
    private readonly heads: ConversationHeads,
    private readonly messages: RawEntityWriter<Message>,
    private readonly files: MessageFiles,
    private readonly turn: StartTurn,
  ) {}

  async run(): Promise<Turn> {
    const { userId, conversationId, request, origin, quota } = this.turn;
    const conversation = await this.heads.lock(this.manager, userId, conversationId);
    const userMessage = await this.userMessage(conversation);
    const reply = await this.insert(newReply(this.turn, userMessage.id, origin, this.now));
    const files = await this.filesOf(userMessage);
    advanceHead(conversation, userMessage, reply, request.kind === 'regenerate' ? 1 : 2, files[0]?.name);
    await this.heads.save(this.manager, [conversation]);
    if (quota) await refuseOverQuota(this.manager, userId, quota, this.now);
    const siblings = await siblingsOf(this.manager, request.kind === 'send' ? [] : [userMessage, reply]);
    return toTurn(userMessage, reply, siblings, conversation, this.files.toDtos(files));
  }

  /** Inserts the user message, or finds the one whose reply is regenerated. */
  private async userMessage(conversation: Conversation): Promise<Message> {
    const { request, conversationId } = this.turn;
    if (request.kind === 'send') return this.insertUserMessage(conversation.activeMessageId, request);
    const target = await getMessage(this.manager, conversationId, request.messageId);
    if (target.role !== (request.kind === 'edit' ? 'user' : 'assistant')) throw wrongRole(request.kind);
    await new Branches(this.manager, conversationId).endAt(target.parentId);
    if (request.kind === 'edit') return this.insertUserMessage(target.parentId, request, target.id);
    return getMessage(this.manager, conversationId, target.parentId!);
  }

  /** @param editedId message whose files are kept unless the request names files */
  private async insertUserMessage(
    parentId: number | null,
    text: UserText,
    editedId?: number,
  ): Promise<Message> {
    const { userId, conversationId } = this.turn;
    const message = await this.insert(newUserMessage(this.turn, parentId, text, this.now));
    const ref = { messageId: message.id, conversationId };
    if (text.fileIds) await this.files.attach(this.manager, userId, ref, text.fileIds);
    else if (editedId !== undefined) await this.files.copy(this.manager, editedId, ref);
    return message;
  }

  /** Reads nothing for a send without files. */
  private async filesOf({ id }: Message): Promise<StoredFile[]> {
    const { request } = this.turn;
    const hasNone = request.kind !== 'regenerate' && request.fileIds?.length === 0;
    return hasNone ? [] : this.files.find(id, this.manager);
  }

  private async insert(message: Message): Promise<Message> {
    return Object.assign(message, { id: await this.messages.insert(this.manager, [message]) });
  }
}

export function replyInProgress(messageId: number): ConflictError {
  return new ConflictError('reply_in_progress', 'A reply is running in this conversation.', {
    assistant_message_id: messageId,
  });
}

function wrongRole(kind: 'edit' | 'regenerate'): ConflictError {
  const detail = kind === 'edit' ? 'Only a user message can be edited.' : 'Only a reply can be regenerated.';
  return new ConflictError('wrong_role', detail);
}

/** @throws {NotFoundError} */
export async function getMessage(
  manager: EntityManager,
  conversationId: number,
  id: number,
): Promise<Message> {
  const message = await manager.findOneBy(Message, { id, conversationId });
  if (!message) throw new NotFoundError('message');
  return message;
}

/** Reads the ids of each message's siblings, by its own. */
export async function siblingsOf(
  manager: EntityManager,
  messages: Message[],
): Promise<Map<number, number[]>> {
  const siblings = new Map<number, number[]>();
  for (const message of messages) siblings.set(message.id, await siblingIds(manager, message));
  return siblings;
}
