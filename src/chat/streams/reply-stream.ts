import { Injectable } from '@nestjs/common';
import { addAbortListener } from 'node:events';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { EventHub } from '../../events/event-hub.js';
import { type EventListener, ParleyEvent } from '../../events/parley-event.js';
import { type Cursor, parseCursor } from '../events/cursor.js';
import { ReplyEngine } from '../replies/reply-engine.js';
import { beginningOf, type MessageAttempt } from './catch-up.js';
import { ConversationReader, type EventWriter } from './conversation-reader.js';
import { StreamJoin } from './stream-join.js';
import { Subscription } from './subscription.js';

/** Polling of a reply that another node may run. Without Redis no event of that node arrives. */
const POLL_INTERVAL_MS = 1000;
const POLL_INTERVAL_WITH_REDIS_MS = 5000;

/** A client of one reply. Without `write`, the text so far is sent like live events. */
export interface ReplyClient extends Partial<EventWriter> {
  send: EventListener;
}

/** The events of one reply, whether it runs on this node, on another one, or has ended. */
@Injectable()
export class ReplyStream {
  constructor(
    private readonly reader: ConversationReader,
    private readonly join: StreamJoin,
    private readonly engine: ReplyEngine,
    private readonly hub: EventHub,
  ) {}

  /**
   * Sends a reply's events from its first character to `message.completed`, or `conversation.deleted`.
   * @returns ends the stream early
   */
  async follow(userId: number, reply: MessageDto, client: ReplyClient): Promise<() => void> {
    const { write, send } = client;
    const start = beginningOf(reply.id, 1);
    const position = write ? await this.reader.writeReply(reply.id, start, { write }) : start;
    if (position.done) return () => undefined;
    const following = new FollowedReply(userId, reply, position, send, this.join);
    await this.readThenJoin(userId, reply, (entry) => {
      following.update(entry);
      if (following.completed) return;
      const subscription = new Subscription(this.hub, userId, following.forward);
      subscription.open(reply.conversation_id);
      const endPolling = this.poll(reply.id, (current) => following.update(current));
      following.onEnd = () => {
        subscription.end();
        endPolling();
      };
    });
    return () => following.onEnd();
  }

  /**
   * Joins a client that has received the beginning of the reply.
   * @param join called with the text so far, in the tick in which it is current
   */
  async joinReply(userId: number, reply: MessageDto, join: (reply: MessageDto) => void): Promise<void> {
    await this.readThenJoin(userId, reply, (entry) => {
      join(entry ? this.join.withTextSoFar(userId, entry.message, entry.attempt) : reply);
    });
  }

  /**
   * Resolves to the completed reply, or to null if its conversation is deleted.
   * @param signal ends the waiting, not the reply; its reason is thrown
   */
  whenEnded(userId: number, reply: MessageDto, signal: AbortSignal): Promise<MessageDto | null> {
    return new Promise((resolve, reject) => {
      addAbortListener(signal, () => reject(signal.reason as Error));
      const send: EventListener = ({ type, body }) => {
        if (type === 'message.completed') resolve(body.message as MessageDto);
        if (type === 'conversation.deleted') resolve(null);
      };
      this.follow(userId, reply, { send }).then((end) => addAbortListener(signal, end), reject);
    });
  }

  /** A reply that runs on this node is joined from memory, without a read. */
  private async readThenJoin(
    userId: number,
    { id, conversation_id }: MessageDto,
    join: (entry: MessageAttempt | undefined) => void,
  ): Promise<void> {
    const running = this.engine.find(id);
    // The deletion of one that is being stopped may have been published before.
    if (running && !running.signal.aborted) join(running);
    else await this.join.readThenJoin(userId, conversation_id, () => this.reader.readOne(id), join);
  }

  /** Reads a message repeatedly; skipped while the reply runs on this node. @returns ends the polling */
  private poll(id: number, onRead: (entry: MessageAttempt | undefined) => void): () => void {
    const interval = this.hub.hasRelay ? POLL_INTERVAL_WITH_REDIS_MS : POLL_INTERVAL_MS;
    let reading: Promise<void> | undefined;
    let ended = false;
    const read = async () => {
      const entry = await this.reader.readOne(id);
      if (!ended) onRead(entry);
    };
    const timer = setInterval(() => {
      if (this.engine.find(id)) return;
      // Errors are ignored: the next poll reads again.
      reading ??= read()
        .catch(() => undefined)
        .finally(() => (reading = undefined));
    }, interval).unref();
    return () => {
      ended = true;
      clearInterval(timer);
    };
  }
}

/** One client's progress in one reply. */
class FollowedReply {
  completed = false;
  onEnd: () => void = () => undefined;
  private last?: ParleyEvent;

  constructor(
    private readonly userId: number,
    private readonly reply: MessageDto,
    private readonly start: Cursor,
    private readonly send: EventListener,
    private readonly join: StreamJoin,
  ) {}

  readonly forward = (event: ParleyEvent): void => {
    if (this.completed || !this.concerns(event)) return;
    this.completed = event.type === 'message.completed' || event.type === 'conversation.deleted';
    if (this.completed) this.onEnd();
    this.last = event;
    this.send(event);
  };

  /** Sends what a read of the message adds. @param entry undefined if the message is gone */
  update(entry: MessageAttempt | undefined): void {
    const { conversation_id } = this.reply;
    if (!entry) return this.forward(new ParleyEvent('conversation.deleted', { conversation_id }));
    const position = parseCursor(this.last?.cursor) ?? this.start;
    // A read may be older than events received since.
    if (entry.attempt >= position.attempt) this.join.sendMissed(this.userId, entry, position, this.forward);
  }

  private concerns({ type, conversationId, body }: ParleyEvent): boolean {
    const { id, conversation_id } = this.reply;
    if (type === 'conversation.deleted') return conversationId === conversation_id;
    const { message_id, message } = body as { message_id?: number; message?: MessageDto };
    return message_id === id || message?.id === id;
  }
}
