import { Injectable } from '@nestjs/common';
import { ConversationPageDto } from '../../conversations/conversation.dto.js';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { EventHub } from '../../events/event-hub.js';
import type { EventListener } from '../../events/parley-event.js';
import { conversationUpdated } from '../events/chat.events.js';
import type { Cursor } from '../events/cursor.js';
import { SentMessages } from './catch-up.js';
import { ConversationReader, type EventWriter } from './conversation-reader.js';
import { StreamJoin } from './stream-join.js';
import { Subscription } from './subscription.js';

/** Messages of a snapshot, as over HTTP. */
const DEFAULT_PAGE = 50;

export interface StreamClient extends EventWriter {
  /** Sends a live event. */
  send: EventListener;
}

/** The events of users and their conversations, for all transports. */
@Injectable()
export class ConversationStream {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly reader: ConversationReader,
    private readonly join: StreamJoin,
    private readonly hub: EventHub,
  ) {}

  /** Delivers a user's live events, and the deltas of the conversations opened on the subscription. */
  subscribe(userId: number, listener: EventListener): Subscription {
    return new Subscription(this.hub, userId, listener);
  }

  /**
   * Reads a page of the active branch, a running reply with its text so far.
   * @param join called in the tick in which the page is current: events from then on follow it
   */
  async open(
    userId: number,
    conversationId: number,
    limit: number | undefined,
    join: (page: ConversationPageDto) => void,
  ): Promise<void> {
    const read = () => this.conversations.getPage(userId, conversationId, { limit: limit ?? DEFAULT_PAGE });
    await this.join.readThenJoin(userId, conversationId, read, (page) =>
      join(page.update((message) => this.join.withTextSoFar(userId, message))),
    );
  }

  /** A page of the active branch, a running reply with its text so far. */
  async read(userId: number, conversationId: number): Promise<ConversationPageDto> {
    let page!: ConversationPageDto;
    await this.open(userId, conversationId, undefined, (read) => (page = read));
    return page;
  }

  /**
   * Sends a conversation's events: those missed first, at the client's pace, then live ones, until it is ended.
   * @param seen the client's position; without one, a running reply's text so far comes first
   */
  async follow(
    userId: number,
    conversationId: number,
    seen: Cursor | null,
    client: StreamClient,
  ): Promise<Subscription> {
    const start = seen ?? (await this.reader.beginningOfRunning(conversationId));
    let position = start;
    let subscription: Subscription | undefined;
    const read = async () => ({
      conversation: await this.conversations.getOwned(userId, conversationId),
      ...(position
        ? await this.reader.readSince(conversationId, position)
        : { missed: await this.reader.readRunning(conversationId), hasMore: false }),
    });
    while (!subscription) {
      if (position) position = await this.reader.writeMissed(conversationId, position, client);
      await this.join.readThenJoin(userId, conversationId, read, ({ conversation, missed, hasMore }) => {
        if (hasMore) return;
        const sent = new SentMessages(start, position);
        for (const entry of missed) sent.add(this.join.sendMissed(userId, entry, position, client.send));
        // A cursor does not cover the title and the active branch.
        if (seen) client.send(conversationUpdated(conversation));
        subscription = this.subscribe(userId, (event) => {
          if (event.conversationId === conversationId && !sent.covers(event)) client.send(event);
        });
        subscription.open(conversationId);
      });
    }
    return subscription;
  }
}
