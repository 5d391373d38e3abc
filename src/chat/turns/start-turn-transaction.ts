import type { EntityManager } from 'typeorm';
import { ConflictError, NotFoundError } from '../../common/errors/errors.js';
import type { Conversation } from '../../conversations/conversation.entity.js';
import type { ConversationsService } from '../../conversations/conversations.service.js';
import { Message } from '../../conversations/messages/message.entity.js';
import type { RawEntityWriter } from '../../database/raw-entity-writer.js';
import { Branches } from './branches.js';
import {
  type StartTurn,
  type Turn,
  toTurn,
  advanceHead,
  newReply,
  newUserMessage,
  type Written,
} from './turn.js';

/** One transaction that begins an exchange. */
export class StartTurnTransaction {
  private readonly now = new Date();

  constructor(
    private readonly manager: EntityManager,
    private readonly conversations: ConversationsService,
    private readonly messages: RawEntityWriter<Message>,
    private readonly beginning: StartTurn,
  ) {}

  async run(): Promise<Turn> {
    const { userId, conversationId, request: ask, origin } = this.beginning;
    // Its row lock makes the conversation's writers take turns.
    const conversation = await this.conversations.lock(this.manager, userId, conversationId);
    const asked = await this.userMessage(conversation);
    const answer = await this.insert(newReply(this.beginning, asked.id, origin, this.now));
    advanceHead(conversation, asked, answer, ask.kind === 'regenerate' ? 1 : 2);
    await this.conversations.saveHeads(this.manager, [conversation]);
    const siblings = await siblingIds(this.manager, ask.kind === 'send' ? [] : [asked, answer]);
    return toTurn(asked, answer, siblings, conversation);
  }

  private async userMessage(conversation: Conversation): Promise<Message> {
    const { request: ask, conversationId } = this.beginning;
    if (ask.kind === 'send') return this.insertUserMessage(conversation.activeMessageId, ask);
    const target = await getMessage(this.manager, conversationId, ask.messageId);
    if (target.role !== (ask.kind === 'edit' ? 'user' : 'assistant')) throw wrongRole(ask.kind);
    if (target.status === 'streaming') throw replyInProgress(target.id);
    await new Branches(this.manager, conversationId).endAt(target.parentId);
    if (ask.kind === 'edit') return this.insertUserMessage(target.parentId, ask);
    return getMessage(this.manager, conversationId, target.parentId!);
  }

  private insertUserMessage(parentId: number | null, ask: Written): Promise<Message> {
    return this.insert(newUserMessage(this.beginning, parentId, ask, this.now));
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

export async function getMessage(
  manager: EntityManager,
  conversationId: number,
  id: number,
): Promise<Message> {
  const message = await manager.findOneBy(Message, { id, conversationId });
  if (!message) throw new NotFoundError('message');
  return message;
}

/** The ids of each message's siblings, itself included, ascending. */
export async function siblingIds(
  manager: EntityManager,
  messages: Message[],
): Promise<Map<number, number[]>> {
  const siblings = new Map<number, number[]>();
  for (const { id, conversationId, parentId } of messages) {
    const rows = await manager
      .createQueryBuilder(Message, 'm')
      .select('m.id', 'id')
      .where('m.conversation_id = :conversationId', { conversationId })
      .andWhere(parentId === null ? 'm.parent_id IS NULL' : 'm.parent_id = :parentId', { parentId })
      .orderBy('m.id')
      .getRawMany<{ id: number | string }>();
    siblings.set(
      id,
      rows.map((row) => Number(row.id)),
    );
  }
  return siblings;
}
