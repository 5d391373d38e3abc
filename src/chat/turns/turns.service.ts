import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { SpanKind } from '@opentelemetry/api';
import { DataSource, EntityManager } from 'typeorm';
import { ConflictError } from '../../common/errors/errors.js';
import { traced } from '../../common/tracing/tracing.js';
import { Conversation } from '../../conversations/conversation.entity.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { isMysql } from '../../database/data-source.js';
import type { StoredFile } from '../../files/file.entity.js';
import { MessageFiles } from '../../files/message-files.service.js';
import { RawEntityQuery } from '../../database/raw-entity-query.js';
import { isDuplicateKey, transaction } from '../../database/retry.js';
import { Branches } from './branches.js';
import { ConversationHeads } from './conversation-heads.js';
import { RawEntityWriter } from './raw-entity-writer.js';
import { SendBatches } from './send-batches.js';
import { StartTurnTransaction, getMessage, replyInProgress, siblingsOf } from './start-turn-transaction.js';
import { type StartTurn, toTurn, type Turn, type TurnRequest } from './turn.js';

/** Attempts of a turn whose conflicting row disappears before it is read. */
const MAX_ATTEMPTS = 5;

/**
 * Stores turns. Unique keys of the database guarantee that a client_message_id creates one message and that one reply
 * runs per conversation.
 */
@Injectable()
export class TurnsService {
  private readonly rows: RawEntityQuery<Message>;
  private readonly messages: RawEntityWriter<Message>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly heads: ConversationHeads,
    private readonly batches: SendBatches,
    private readonly files: MessageFiles,
  ) {
    this.rows = new RawEntityQuery(database, Message, 'm');
    this.messages = new RawEntityWriter(database, Message);
  }

  /**
   * Finds the turn of an earlier send with the same id.
   * @throws {ConflictError} `client_message_id_reused`
   */
  async findRepeat(conversationId: number, request: TurnRequest): Promise<Turn | null> {
    if (request.kind === 'regenerate' || request.clientMessageId === null) return null;
    const { manager } = this.database;
    const sameId = 'WHERE m.conversation_id = ? AND m.client_message_id = ?';
    const message = await this.rows.findOne(manager, sameId, [conversationId, request.clientMessageId]);
    if (!message) return null;
    const files = await this.files.find(message.id, manager);
    const isSame = message.content === request.content && (await this.hasSameFiles(files, request));
    if (!isSame) throw clientMessageIdReused();
    const reply = await manager.findOneOrFail(Message, {
      where: { conversationId, parentId: message.id },
      order: { id: 'ASC' },
    });
    const siblings = await siblingsOf(manager, [message, reply]);
    return toTurn(message, reply, siblings, null, this.files.toDtos(files));
  }

  /** Compares ids, so that a file deleted since changes nothing. */
  private async hasSameFiles(
    files: StoredFile[],
    request: Exclude<TurnRequest, { kind: 'regenerate' }>,
  ): Promise<boolean> {
    const ids = request.fileIds ?? (request.kind === 'edit' ? await this.fileIdsOf(request.messageId) : []);
    return ids.length === files.length && files.every(({ id }, index) => id === ids[index]);
  }

  private async fileIdsOf(messageId: number): Promise<number[]> {
    return (await this.files.find(messageId)).map(({ id }) => id);
  }

  /**
   * Stores the user message and its reply, or finds them if they are a repeat.
   * @throws {ConflictError} `reply_in_progress`, `wrong_role`, `client_message_id_reused`
   * @throws {NotFoundError}
   */
  async start(turn: StartTurn): Promise<Turn> {
    const attributes = {
      'db.system.name': isMysql(this.database) ? 'mysql' : 'sqlite',
      'parley.turn.kind': turn.request.kind,
      'gen_ai.conversation.id': String(turn.conversationId),
    };
    return traced(
      'store turn',
      { kind: SpanKind.CLIENT, attributes },
      async () => (await this.batches.load(turn)) ?? this.startAlone(turn),
    );
  }

  private async startAlone(turn: StartTurn): Promise<Turn> {
    const { conversationId, request } = turn;
    for (let attempt = 1; ; attempt++) {
      try {
        return await transaction(this.database, (manager) =>
          new StartTurnTransaction(manager, this.heads, this.messages, this.files, turn).run(),
        );
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
        const repeat = await this.findRepeat(conversationId, request);
        if (repeat) return repeat;
        await refuseWhileRunning(this.database.manager, conversationId);
        if (attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** Activates the branch of a message, down to its newest descendant. @throws {ConflictError} `reply_in_progress` */
  async activate(userId: number, conversationId: number, messageId: number): Promise<Conversation> {
    return transaction(this.database, async (manager) => {
      const conversation = await this.heads.lock(manager, userId, conversationId);
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

function clientMessageIdReused(): ConflictError {
  return new ConflictError('client_message_id_reused', 'This client_message_id was used with other content.');
}
