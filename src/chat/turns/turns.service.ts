import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager } from 'typeorm';
import { BatchLoader } from '../../common/async/batch-loader.js';
import { ConflictError } from '../../common/errors/errors.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { isMysql } from '../../database/data-source.js';
import { RawEntityQuery } from '../../database/raw-entity-query.js';
import { RawEntityWriter } from '../../database/raw-entity-writer.js';
import { isDuplicateKey, transaction } from '../../database/retry.js';
import { Branches } from './branches.js';
import { type TurnRequest, type StartTurn, type Turn, toTurn } from './turn.js';
import { StartTurnTransaction, getMessage, replyInProgress, siblingIds } from './start-turn-transaction.js';
import { type SendTurn, mayShare, BatchTurnInsert } from './batch-turn-insert.js';

/** How often a send is tried again whose conflict is gone when it is looked for. */
const ATTEMPTS = 5;
/** So many sends share a transaction, and none waits longer for another's. */
const TOGETHER = { size: 50, maxWaitMs: 3 };

/**
 * Makes exchanges (a user's message and its reply) in the database, whose unique keys are what guarantees that a
 * client_message_id makes one message, and that one reply runs in a conversation.
 */
@Injectable()
export class TurnsService {
  private readonly rows: RawEntityQuery<Message>;
  private readonly writer: RawEntityWriter<Message>;
  private readonly batchedSends = new BatchLoader<SendTurn, Turn>(
    (each) => this.beginTogether(each),
    TOGETHER,
  );

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly conversations: ConversationsService,
  ) {
    this.rows = new RawEntityQuery(database, Message, 'm');
    this.writer = new RawEntityWriter(database, Message);
  }

  /** @returns what an earlier send with the same id made, or null */
  async findRepeat(conversationId: number, ask: TurnRequest): Promise<Turn | null> {
    if (ask.kind === 'regenerate' || ask.clientMessageId === null) return null;
    const { manager } = this.database;
    const sameId = 'WHERE m.conversation_id = ? AND m.client_message_id = ?';
    const message = await this.rows.findOne(manager, sameId, [conversationId, ask.clientMessageId]);
    if (!message) return null;
    if (message.content !== ask.content) {
      throw new ConflictError(
        'client_message_id_reused',
        'This client_message_id was used with other content.',
      );
    }
    const reply = await manager.findOneOrFail(Message, {
      where: { conversationId, parentId: message.id },
      order: { id: 'ASC' },
    });
    const siblings = await siblingIds(manager, [message, reply]);
    return toTurn(message, reply, siblings, null);
  }

  /**
   * @throws {ConflictError} `reply_in_progress`, `wrong_role`
   * @throws {NotFoundError}
   */
  begin(beginning: StartTurn): Promise<Turn> {
    // SQLite keeps every statement that it has prepared, and its transactions take turns in any case.
    const together = isMysql(this.database) && mayShare(beginning);
    return together ? this.batchedSends.load(beginning) : this.beginAlone(beginning);
  }

  private async beginTogether(beginnings: SendTurn[]): Promise<(Turn | Promise<Turn>)[]> {
    const begun = beginnings.length > 1 ? await this.beginBatch(beginnings) : undefined;
    return beginnings.map((beginning) => begun?.get(beginning) ?? this.beginAlone(beginning));
  }

  /** @returns what could be begun */
  private async beginBatch(beginnings: SendTurn[]): Promise<Map<StartTurn, Turn> | undefined> {
    try {
      return await transaction(this.database, (manager) =>
        new BatchTurnInsert(manager, this.conversations, this.writer).run(beginnings),
      );
    } catch (error) {
      // One of them is a repeat of what another node has stored meanwhile. Which one shows when each is alone.
      if (!isDuplicateKey(error)) throw error;
      return undefined;
    }
  }

  private async beginAlone(beginning: StartTurn): Promise<Turn> {
    const { conversationId, request: ask } = beginning;
    for (let attempt = 1; ; attempt++) {
      try {
        return await transaction(this.database, (manager) =>
          new StartTurnTransaction(manager, this.conversations, this.writer, beginning).run(),
        );
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const repeat = await this.findRepeat(conversationId, ask);
        if (repeat) return repeat;
        await refuseWhileRunning(this.database.manager, conversationId);
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** Makes the branch that a message is on the active one. @throws {ConflictError} `reply_in_progress` */
  async activate(userId: number, conversationId: number, messageId: number): Promise<Conversation> {
    return transaction(this.database, async (manager) => {
      const conversation = await this.conversations.lock(manager, userId, conversationId);
      await refuseWhileRunning(manager, conversationId);
      await getMessage(manager, conversationId, messageId);
      const branches = new Branches(manager, conversationId);
      const activeMessageId = await branches.newestBelow(messageId);
      await branches.endAt(activeMessageId);
      await manager.update(Conversation, { id: conversationId }, { activeMessageId });
      return Object.assign(conversation, { activeMessageId });
    });
  }
}

async function refuseWhileRunning(manager: EntityManager, conversationId: number): Promise<void> {
  const running = await manager.findOne(Message, {
    select: { id: true },
    where: { streamingIn: conversationId },
  });
  if (running) throw replyInProgress(running.id);
}
