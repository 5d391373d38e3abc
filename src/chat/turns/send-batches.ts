import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { BatchLoader } from '../../common/async/batch-loader.js';
import { Message } from '../../conversations/messages/message.entity.js';
import { isMysql } from '../../database/data-source.js';
import { isDuplicateKey, transaction } from '../../database/retry.js';
import { BatchTurnInsert, type SendTurn } from './batch-turn-insert.js';
import { ConversationHeads } from './conversation-heads.js';
import { RawEntityWriter } from './raw-entity-writer.js';
import type { StartTurn, Turn } from './turn.js';

const BATCHES = { maxBatchSize: 50, maxWaitMs: 3 };
/** Keeps a batch far below the smallest `max_allowed_packet`. UTF-16 code units. */
const MAX_CONTENT_LENGTH = 10_000;

/** Stores simultaneous sends of different conversations in shared transactions, on MySQL. */
@Injectable()
export class SendBatches {
  private readonly messages: RawEntityWriter<Message>;
  private readonly loader = new BatchLoader<SendTurn, Turn | null>((sends) => this.store(sends), BATCHES);

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly heads: ConversationHeads,
  ) {
    this.messages = new RawEntityWriter(database, Message);
  }

  /** @returns null if the turn was not stored and needs a transaction of its own */
  async load(turn: StartTurn): Promise<Turn | null> {
    // SQLite runs one transaction at a time, and would keep a prepared statement for each size of a batch.
    if (!isMysql(this.database) || !isShortSend(turn)) return null;
    return this.loader.load(turn);
  }

  private async store(sends: SendTurn[]): Promise<(Turn | null)[]> {
    if (sends.length === 1) return [null];
    try {
      const turns = await transaction(this.database, (manager) =>
        new BatchTurnInsert(manager, this.heads, this.messages).run(sends),
      );
      return sends.map((send) => turns.get(send) ?? null);
    } catch (error) {
      // Another node has stored one of the sends; a transaction per send shows which.
      if (!isDuplicateKey(error)) throw error;
      return sends.map(() => null);
    }
  }
}

function isShortSend(turn: StartTurn): turn is SendTurn {
  const { quota, request } = turn;
  if (quota || request.kind !== 'send' || request.fileIds?.length) return false;
  return request.content.length <= MAX_CONTENT_LENGTH;
}
