import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { Message } from '../../conversations/messages/message.entity.js';
import { MessagesService } from '../../conversations/messages/messages.service.js';
import type { ParleyEvent } from '../../events/parley-event.js';
import { beginningOf, type MessageAttempt, missedOf, missingLengthOf } from './catch-up.js';
import { type Cursor, cursorAfter } from '../events/cursor.js';

export interface EventWriter {
  /** Writes an event that the client missed, at its pace. @returns false once the client has left */
  write: (event: ParleyEvent) => Promise<boolean>;
}

/** A read's messages and bytes of text. A longer message is read whole. */
const PAGE = { limit: 20, maxBytes: 1024 * 1024 };
/** Less text than this is sent in the tick of the join. UTF-16 code units. */
const MAX_JOIN_LENGTH = 64 * 1024;

/** Reads missed messages from the database and writes them to clients, page by page. */
@Injectable()
export class ConversationReader {
  constructor(
    private readonly messageReader: MessagesService,
    @InjectRepository(Message) private readonly messages: Repository<Message>,
  ) {}

  /** Writes missed messages, except the end of a running reply's text. @returns the client's position after them */
  async writeMissed(conversationId: number, seen: Cursor, writer: EventWriter): Promise<Cursor> {
    for (let position = seen; ;) {
      const { missed } = await this.readSince(conversationId, position);
      if (missed.length === 0) return position;
      for (const entry of missed) {
        if (isNearEnd(entry, position) || !(await writeAll(missedOf(entry, position), writer)))
          return position;
        position = cursorAfter(entry.message, entry.attempt);
      }
    }
  }

  /** Like {@link writeMissed}, for one reply. */
  async writeReply(id: number, start: Cursor, writer: EventWriter): Promise<Cursor> {
    let position = start;
    while (!position.done) {
      const entry = await this.readOne(id);
      if (!entry || isNearEnd(entry, position) || !(await writeAll(missedOf(entry, position), writer))) break;
      position = cursorAfter(entry.message, entry.attempt);
    }
    return position;
  }

  /** A page of messages from a position on, of all branches. */
  async readSince(
    conversationId: number,
    { messageId, done }: Cursor,
  ): Promise<{ missed: MessageAttempt[]; hasMore: boolean }> {
    const query = this.messageReader.queryFrom(conversationId, done ? messageId + 1 : messageId);
    const { messages, hasMore } = await this.messageReader.readFitting(query, PAGE);
    return { missed: await this.toAttempts(messages), hasMore };
  }

  async readRunning(conversationId: number): Promise<MessageAttempt[]> {
    return this.toAttempts(await this.messages.findBy({ streamingIn: conversationId }));
  }

  /** The position before the running reply's first character; null if none runs. */
  async beginningOfRunning(conversationId: number): Promise<Cursor | null> {
    const running = await this.messages.findOne({
      select: { id: true, attempt: true },
      where: { streamingIn: conversationId },
    });
    return running && beginningOf(running.id, running.attempt);
  }

  async readOne(id: number): Promise<MessageAttempt | undefined> {
    const [message] = await this.toAttempts(await this.messages.findBy({ id }));
    return message;
  }

  /** Includes the stored text so far of running replies. */
  private async toAttempts(messages: Message[]): Promise<MessageAttempt[]> {
    const dtos = await this.messageReader.toDtos(messages);
    return dtos.map((message, index) => ({ message, attempt: messages[index]!.attempt }));
  }
}

/** Whether the rest is short enough to be sent in the tick of the join. */
function isNearEnd(entry: MessageAttempt, position: Cursor): boolean {
  return entry.message.status === 'streaming' && missingLengthOf(entry, position) < MAX_JOIN_LENGTH;
}

/** @returns false once the client has left */
async function writeAll(events: ParleyEvent[], writer: EventWriter): Promise<boolean> {
  for (const event of events) if (!(await writer.write(event))) return false;
  return true;
}
