import type { EntityManager } from 'typeorm';
import type { Conversation } from '../../conversations/conversation.entity.js';
import type { ConversationsService } from '../../conversations/conversations.service.js';
import type { Message } from '../../conversations/messages/message.entity.js';
import type { RawEntityWriter } from '../../database/raw-entity-writer.js';
import {
  type StartTurn,
  type Turn,
  toTurn,
  advanceHead,
  newReply,
  newUserMessage,
  type Send,
} from './turn.js';

/** The longest message that is stored with others, in UTF-16 code units: a hundred are a fraction of LEAST_PACKET. */
const LONGEST = 10_000;

export type SendTurn = StartTurn<Send>;

/** Whether it may share a transaction with others. */
export function mayShare(beginning: StartTurn): beginning is SendTurn {
  return beginning.request.kind === 'send' && beginning.request.content.length <= LONGEST;
}

interface Place {
  beginning: SendTurn;
  conversation: Conversation;
}

/**
 * One transaction that begins the exchanges of many sends, in about as many statements as one takes. It leaves out what
 * would have to wait, or would be refused, for the others' sake.
 */
export class BatchTurnInsert {
  private readonly now = new Date();

  constructor(
    private readonly manager: EntityManager,
    private readonly conversations: ConversationsService,
    private readonly messages: RawEntityWriter<Message>,
  ) {}

  /** @returns what was begun */
  async run(beginnings: SendTurn[]): Promise<Map<StartTurn, Turn>> {
    const places = await this.lock(beginnings);
    if (places.length === 0) return new Map();
    const asked = await this.insert(
      places.map(({ beginning, conversation }) =>
        newUserMessage(beginning, conversation.activeMessageId, beginning.request, this.now),
      ),
    );
    const answers = await this.insert(
      places.map(({ beginning }, n) => newReply(beginning, asked[n]!.id, beginning.origin, this.now)),
    );
    places.forEach(({ conversation }, n) => advanceHead(conversation, asked[n]!, answers[n]!, 2));
    await this.conversations.saveHeads(
      this.manager,
      places.map(({ conversation }) => conversation),
    );
    return new Map(
      places.map(({ beginning, conversation }, n) => [
        beginning,
        toTurn(asked[n]!, answers[n]!, new Map(), conversation),
      ]),
    );
  }

  /** Of each conversation the first send, where nobody else writes to it and no reply runs in it. */
  private async lock(beginnings: SendTurn[]): Promise<Place[]> {
    const byId = new Map<number, SendTurn>();
    for (const each of beginnings) if (!byId.has(each.conversationId)) byId.set(each.conversationId, each);
    const conversations = await this.conversations.lockUnlocked(this.manager, [...byId.keys()]);
    const busy = await this.findBusy(conversations);
    return conversations
      .map((conversation) => ({ conversation, beginning: byId.get(conversation.id)! }))
      .filter(({ conversation: { id, userId }, beginning }) => userId === beginning.userId && !busy.has(id));
  }

  private async findBusy(conversations: Conversation[]): Promise<Set<number>> {
    const ids = conversations.map(({ id }) => id);
    if (ids.length === 0) return new Set();
    const rows = await this.manager.query<{ streaming_in: number | string }[]>(
      `SELECT streaming_in FROM messages WHERE streaming_in IN (${ids.map(() => '?').join(', ')})`,
      ids,
    );
    return new Set(rows.map((row) => Number(row.streaming_in)));
  }

  /** One for each conversation. Their ids are read: a cluster's servers leave out each other's. */
  private async insert(messages: Message[]): Promise<Message[]> {
    const lowest = await this.messages.insert(this.manager, messages);
    const conversationIds = messages.map(({ conversationId }) => conversationId);
    const places = conversationIds.map(() => '?').join(', ');
    const rows = await this.manager.query<{ id: number | string; conversation_id: number | string }[]>(
      `SELECT id, conversation_id FROM messages WHERE conversation_id IN (${places}) AND id >= ?`,
      [...conversationIds, lowest],
    );
    const ids = new Map(rows.map((row) => [Number(row.conversation_id), Number(row.id)]));
    return messages.map((message) => Object.assign(message, { id: ids.get(message.conversationId)! }));
  }
}
