import { Injectable } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { EventHub } from '../../events/event-hub.js';
import type { EventListener } from '../../events/parley-event.js';
import type { Cursor } from '../events/cursor.js';
import { ReplyEngine } from '../replies/reply-engine.js';
import { type MessageAttempt, missedOf } from './catch-up.js';
import { RemoteReplies } from './remote-replies.js';

/** Joins what the database has to live events, without a gap and without repetition. */
@Injectable()
export class StreamJoin {
  constructor(
    private readonly hub: EventHub,
    private readonly engine: ReplyEngine,
    private readonly remote: RemoteReplies,
  ) {}

  /**
   * Subscribes, then reads; reads again if an event of the conversation other than a delta was published meanwhile.
   * @param join called in the same tick as the last check, so that no event is published in between
   */
  async readThenJoin<T>(
    userId: number,
    conversationId: number,
    read: () => Promise<T>,
    join: (state: T) => void,
  ): Promise<void> {
    for (;;) {
      let changed = false;
      const unsubscribe = this.hub.subscribe(userId, (event) => {
        if (event.conversationId === conversationId) changed = true;
      });
      try {
        await this.hub.whenSubscribed(userId);
        const state = await read();
        if (!changed) return join(state);
      } finally {
        unsubscribe();
      }
    }
  }

  /** Adds a running reply's text so far, from memory. Call it in the tick of the join: deltas follow from there. */
  withTextSoFar(userId: number, message: MessageDto, attempt = 1): MessageDto {
    if (message.status !== 'streaming') {
      this.remote.finish(message);
      return message;
    }
    const running = this.engine.find(message.id) ?? this.remote.follow(userId, message, attempt);
    return running?.snapshot() ?? message;
  }

  /**
   * Sends the events of a message that a client has not received.
   * @returns the message as it was sent
   */
  sendMissed(
    userId: number,
    { message, attempt: stored }: MessageAttempt,
    seen: Cursor | null,
    listener: EventListener,
  ): MessageDto {
    // The number of a reply's next attempt is stored before the attempt starts in memory.
    const attempt = this.engine.find(message.id)?.attempt ?? stored;
    const current = this.withTextSoFar(userId, message, attempt);
    missedOf({ message: current, attempt }, seen).forEach(listener);
    return current;
  }
}
