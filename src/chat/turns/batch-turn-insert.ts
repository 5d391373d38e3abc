import type { EntityManager } from 'typeorm';
import type { Conversation } from '../../conversations/conversation.entity.js';
import type { Message } from '../../conversations/messages/message.entity.js';
import { advanceHead, type ConversationHeads } from './conversation-heads.js';
import { newReply, newUserMessage } from './new-messages.js';
import type { RawEntityWriter } from './raw-entity-writer.js';
import { type SendRequest, type StartTurn, toTurn, type Turn } from './turn.js';

export type SendTurn = StartTurn<SendRequest>;

interface LockedSend {
  send: SendTurn;
  conversation: Conversation;
}

/**
 * Stores many sends in one transaction, with as many statements as one send takes. Leaves out sends that would fail or
 * wait for a lock.
 */
export class BatchTurnInsert {
  private readonly now = new Date();

  constructor(
    private readonly manager: EntityManager,
    private readonly heads: ConversationHeads,
    private readonly messages: RawEntityWriter<Message>,
  ) {}

  /** @returns the turns of the sends that were stored */
  async run(sends: SendTurn[]): Promise<Map<SendTurn, Turn>> {
    const locked = await this.lock(sends);
    if (locked.length === 0) return new Map();
    const userMessages = await this.insert(
      locked.map(({ send, conversation }) =>
        newUserMessage(send, conversation.activeMessageId, send.request, this.now),
      ),
    );
    const replies = await this.insert(
      locked.map(({ send }, n) => newReply(send, userMessages[n]!.id, send.origin, this.now)),
    );
    locked.forEach(({ conversation }, n) => advanceHead(conversation, userMessages[n]!, replies[n]!, 2));
    await this.heads.save(
      this.manager,
      locked.map(({ conversation }) => conversation),
    );
    const turns = locked.map(({ send, conversation }, n) => {
      return [send, toTurn(userMessages[n]!, replies[n]!, new Map(), conversation)] as const;
    });
    return new Map(turns);
  }

  /** Locks the conversation of the first send to each, unless it is locked, another user's, or has a running reply. */
  private async lock(sends: SendTurn[]): Promise<LockedSend[]> {
    const first = new Map<number, SendTurn>();
    for (const send of sends) if (!first.has(send.conversationId)) first.set(send.conversationId, send);
    const conversations = await this.heads.lockUnlocked(this.manager, [...first.keys()]);
    const busy = await this.findBusy(conversations);
    return conversations
      .map((conversation) => ({ conversation, send: first.get(conversation.id)! }))
      .filter(({ conversation: { id, userId }, send }) => userId === send.userId && !busy.has(id));
  }

  /** @returns ids of conversations in which a reply runs */
  private async findBusy(conversations: Conversation[]): Promise<Set<number>> {
    const ids = conversations.map(({ id }) => id);
    if (ids.length === 0) return new Set();
    const rows = await this.manager.query<{ streaming_in: number | string }[]>(
      `SELECT streaming_in FROM messages WHERE streaming_in IN (${placeholders(ids)})`,
      ids,
    );
    return new Set(rows.map((row) => Number(row.streaming_in)));
  }

  /** Inserts one message per conversation, and reads the ids, which have gaps on a MySQL cluster. */
  private async insert(messages: Message[]): Promise<Message[]> {
    const lowest = await this.messages.insert(this.manager, messages);
    const conversationIds = messages.map(({ conversationId }) => conversationId);
    const rows = await this.manager.query<{ id: number | string; conversation_id: number | string }[]>(
      `SELECT id, conversation_id FROM messages WHERE conversation_id IN (${placeholders(conversationIds)}) AND id >= ?`,
      [...conversationIds, lowest],
    );
    const ids = new Map(rows.map((row) => [Number(row.conversation_id), Number(row.id)]));
    return messages.map((message) => Object.assign(message, { id: ids.get(message.conversationId)! }));
  }
}

function placeholders(values: unknown[]): string {
  return values.map(() => '?').join(', ');
}
