import { Injectable } from '@nestjs/common';
import { ConversationsService } from '../../conversations/conversations.service.js';
import { ConversationPageDto } from '../../conversations/conversation.dto.js';
import { MessageDto } from '../../conversations/messages/message.dto.js';
import { EventHub } from '../../events/event-hub.js';
import { EventListener, ParleyEvent } from '../../events/parley-event.js';
import { type Attempted, beginningOf, type EventWriter, missedOf, ToldMessages } from './catch-up.js';
import { conversationUpdated } from '../events/chat.events.js';
import { ConversationReader } from './conversation-reader.js';
import { type Cursor, parseCursor } from '../events/cursor.js';
import { ReplyEngine } from '../replies/reply-engine.js';
import { RemoteReplies } from './remote-replies.js';

/** As over HTTP. */
const DEFAULT_PAGE = 50;
/** How often a reply of another node is looked at, by who waits for it: without Redis, nothing else tells of it. */
const LOOK_INTERVAL_MS = 1000;
const LOOK_INTERVAL_WITH_REDIS_MS = 5000;

/**
 * Joins clients to a conversation: first what they have not seen, then what happens, with nothing between the two
 * lost or doubled. All transports read their events here.
 */
@Injectable()
export class ConversationStreams {
  constructor(
    private readonly conversations: ConversationsService,
    private readonly reader: ConversationReader,
    private readonly engine: ReplyEngine,
    private readonly remote: RemoteReplies,
    private readonly hub: EventHub,
  ) {}

  /** @param join is called in the very turn in which the page is true: what follows it are live events */
  async open(
    userId: number,
    conversationId: number,
    limit: number | undefined,
    join: (page: ConversationPageDto) => void,
  ): Promise<void> {
    const read = () => this.conversations.getPage(userId, conversationId, { limit: limit ?? DEFAULT_PAGE });
    await this.readThenJoin(userId, conversationId, read, (page) =>
      join(page.update((message) => this.withTextSoFar(userId, message))),
    );
  }

  /** A page of the active branch, a running reply with its text so far. */
  async read(userId: number, conversationId: number): Promise<ConversationPageDto> {
    let page!: ConversationPageDto;
    await this.open(userId, conversationId, undefined, (read) => (page = read));
    return page;
  }

  /**
   * A conversation's events, without end. What was missed is written first, at the pace of its reader.
   * @param seen where the client stands; without it, a running reply's text so far comes first
   * @returns what ends the subscription
   */
  async follow(
    userId: number,
    conversationId: number,
    seen: Cursor | null,
    writer: EventWriter,
    listener: EventListener,
  ): Promise<() => void> {
    const start = seen ?? (await this.reader.beginningOfRunning(conversationId));
    let place = start;
    let unsubscribe: (() => void) | undefined;
    const read = async () => ({
      conversation: await this.conversations.getOwned(userId, conversationId),
      ...(place
        ? await this.reader.readSince(conversationId, place)
        : { missed: await this.reader.readRunning(conversationId), hasMore: false }),
    });
    while (!unsubscribe) {
      if (place) place = await this.reader.writeMissed(conversationId, place, writer);
      await this.readThenJoin(userId, conversationId, read, ({ conversation, missed, hasMore }) => {
        if (hasMore) return;
        const told = new ToldMessages(start, place);
        for (const entry of missed) told.add(this.catchUp(userId, entry, place, listener));
        // No cursor tells whether its title or its active branch is another by now.
        if (seen) listener(conversationUpdated(conversation));
        unsubscribe = this.hub.subscribeConversation(userId, conversationId, (event) => {
          if (!told.cover(event)) listener(event);
        });
      });
    }
    return unsubscribe;
  }

  /**
   * One reply's events from its first character to `message.completed`, whether it runs or has ended.
   * @param writer of what is there already; without it, that comes as the rest does
   * @returns what ends the subscription early
   */
  async followReply(
    userId: number,
    reply: MessageDto,
    listener: EventListener,
    writer?: EventWriter,
  ): Promise<() => void> {
    const start = beginningOf(reply.id, 1);
    const begun = writer ? await this.reader.writeReply(reply.id, start, writer) : start;
    if (begun.done) return () => undefined;
    const { conversation_id } = reply;
    let last: ParleyEvent | undefined;
    let unsubscribe: (() => void) | undefined;
    let completed = false;
    const forward = (event: ParleyEvent) => {
      if (completed || !concerns(event, reply.id)) return;
      completed = event.type === 'message.completed' || event.type === 'conversation.deleted';
      if (completed) unsubscribe?.();
      listener((last = event));
    };
    const take = (entry: Attempted | undefined) => {
      if (!entry) return forward(new ParleyEvent('conversation.deleted', { conversation_id }));
      const place = parseCursor(last?.cursor) ?? begun;
      // A look may be older than what has been heard since.
      if (entry.attempt >= place.attempt) this.catchUp(userId, entry, place, forward);
    };
    await this.lookThenJoin(userId, reply, (entry) => {
      take(entry);
      if (completed) return;
      const leave = this.hub.subscribeConversation(userId, conversation_id, forward);
      const endLooks = this.lookAtTimes(reply.id, take);
      unsubscribe = () => [leave, endLooks].forEach((end) => end());
    });
    return () => unsubscribe?.();
  }

  /** What runs here is told of as it happens. @returns what ends it */
  private lookAtTimes(id: number, take: (entry: Attempted | undefined) => void): () => void {
    const interval = this.hub.hasRelay ? LOOK_INTERVAL_WITH_REDIS_MS : LOOK_INTERVAL_MS;
    let looking: Promise<void> | null = null;
    let over = false;
    const look = async () => {
      const entry = await this.reader.readOne(id);
      if (!over) take(entry);
    };
    const timer = setInterval(() => {
      if (this.engine.find(id)) return;
      // While the database is away there is nothing to see.
      looking ??= look().then(
        () => void (looking = null),
        () => void (looking = null),
      );
    }, interval).unref();
    return () => {
      over = true;
      clearInterval(timer);
    };
  }

  /**
   * Joins a client to a reply that it knows of already.
   * @param join is given the reply with its text so far, in the very turn in which that is true
   */
  async joinReply(userId: number, reply: MessageDto, join: (reply: MessageDto) => void): Promise<void> {
    await this.lookThenJoin(userId, reply, (entry) => {
      join(entry ? this.withTextSoFar(userId, entry.message, entry.attempt) : reply);
    });
  }

  /** The reply's end, however long it takes; null where its conversation is deleted meanwhile. */
  async whenEnded(userId: number, reply: MessageDto): Promise<MessageDto | null> {
    return new Promise((resolve, reject) => {
      this.followReply(userId, reply, (event) => {
        if (event.type === 'message.completed') resolve(event.body.message as MessageDto);
        if (event.type === 'conversation.deleted') resolve(null);
      }).catch(reject);
    });
  }

  /** What runs on this node is known without reading, and joined in the turn in which it is looked at. */
  private async lookThenJoin(
    userId: number,
    { id, conversation_id }: MessageDto,
    join: (entry: Attempted | undefined) => void,
  ): Promise<void> {
    const running = this.engine.find(id);
    // One that is being stopped may have been deleted, which has been told already.
    if (running && !running.abort.signal.aborted) join(running);
    else await this.readThenJoin(userId, conversation_id, () => this.reader.readOne(id), join);
  }

  /** Reads again where something happened meanwhile, so that what is joined to is what was read. */
  private async readThenJoin<T>(
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
        // Still subscribed: between this look and the join nothing can happen unseen.
        if (!changed) return join(state);
      } finally {
        unsubscribe();
      }
    }
  }

  /** Deltas since the read are in the running reply: it is looked at in the turn of the join. */
  private withTextSoFar(userId: number, message: MessageDto, attempt = 1): MessageDto {
    if (message.status !== 'streaming') {
      this.remote.finish(message);
      return message;
    }
    const running = this.engine.find(message.id) ?? this.remote.follow(userId, message, attempt);
    return running?.snapshot() ?? message;
  }

  /** @returns the message as it is told */
  private catchUp(
    userId: number,
    { message, attempt: stored }: Attempted,
    seen: Cursor | null,
    listener: EventListener,
  ): MessageDto {
    // A reply's next attempt is stored a moment before its text begins anew.
    const attempt = this.engine.find(message.id)?.attempt ?? stored;
    const current = this.withTextSoFar(userId, message, attempt);
    missedOf({ message: current, attempt }, seen).forEach(listener);
    return current;
  }
}

function concerns(event: ParleyEvent, messageId: number): boolean {
  const { message_id, message } = event.body as { message_id?: number; message?: MessageDto };
  return event.type === 'conversation.deleted' || message_id === messageId || message?.id === messageId;
}
