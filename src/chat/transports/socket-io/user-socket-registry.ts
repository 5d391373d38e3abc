import { Injectable, OnModuleDestroy } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import type { MessageDto } from '../../../conversations/messages/message.dto.js';
import type { ParleyEvent } from '../../../events/parley-event.js';
import { ReplyEngine } from '../../replies/reply-engine.js';
import { type StreamedText, wholeText } from '../../replies/streamed-text.js';
import { ConversationStream } from '../../streams/conversation-stream.js';
import { RemoteReplies } from '../../streams/remote-replies.js';
import type { Subscription } from '../../streams/subscription.js';
import type { ChatSocket } from './chat-socket.js';
import { EncodedEvent } from './encoded-event.js';
import { RECOVERY_MS } from './recovery.adapter.js';
import { ReplayBuffer, type BufferedEvent } from './replay-buffer.js';

const SWEEP_INTERVAL_MS = 60_000;

/** The most text of running replies that a recovered socket is sent: one reply's limit. UTF-16 code units. */
const MAX_REPLAYED_TEXT = 10 * 1024 * 1024;

interface UserSockets {
  sockets: ChatSocket[];
  /** The conversations that any of the sockets has open are open on it. */
  subscription: Subscription;
  /** Created with the first event. */
  recent?: ReplayBuffer;
  expiry?: NodeJS.Timeout;
}

/** The Socket.IO sockets of each user, and the events that they are sent: one subscription per user. */
@Injectable()
export class UserSocketRegistry implements OnModuleDestroy {
  private namespace!: Namespace;
  private readonly users = new Map<number, UserSockets>();
  private readonly timer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref();

  constructor(
    private readonly stream: ConversationStream,
    private readonly engine: ReplyEngine,
    private readonly remote: RemoteReplies,
  ) {}

  attach(namespace: Namespace): void {
    this.namespace = namespace;
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  add(userId: number, socket: ChatSocket): void {
    let user = this.users.get(userId);
    if (!user) this.users.set(userId, (user = this.subscribe(userId)));
    user.sockets = user.sockets.concat(socket);
    clearTimeout(user.expiry);
  }

  /** Keeps recording events after a user's last socket has left, for as long as it may be recovered. */
  remove(userId: number, socket: ChatSocket): void {
    const user = this.users.get(userId)!;
    user.sockets = user.sockets.filter((each) => each !== socket);
    if (user.sockets.length === 0) this.expire(userId, user);
  }

  /** Starts the deltas of a conversation that a socket of the user has opened. */
  open(userId: number, conversationId: number): void {
    this.users.get(userId)?.subscription.open(conversationId);
  }

  /** Ends the deltas of a conversation once no socket of the user has it open. */
  close(userId: number, conversationId: number): void {
    const user = this.users.get(userId);
    if (user && socketsWith(user, conversationId).length === 0) user.subscription.close(conversationId);
  }

  /** @returns null if some of the missed events are no longer kept */
  missedSince(userId: number, offset: string): BufferedEvent[] | null {
    return this.users.get(userId)?.recent?.since(offset) ?? null;
  }

  /** Whether all missed events are kept, and the text of running replies is within the limit. */
  canReplay(userId: number, offset: string, opened: number[]): boolean {
    const lengths = this.runningIn(new Set(opened)).map(({ length }) => length);
    const sum = lengths.reduce((total, length) => total + length, 0);
    return sum <= MAX_REPLAYED_TEXT && this.missedSince(userId, offset) !== null;
  }

  /** The text of a completed reply as deltas, which the replay buffer does not keep. */
  textBefore({ type, body }: ParleyEvent): ParleyEvent[] {
    return type === 'message.completed' ? wholeText(body.message as MessageDto, 1) : [];
  }

  /** The text so far of the replies that run in these conversations, as deltas from offset 0. */
  textSoFar(conversationIds: Set<number>): ParleyEvent[] {
    return this.runningIn(conversationIds).flatMap((reply) => reply.since({ content: 0, reasoning: 0 }));
  }

  private runningIn(conversationIds: Set<number>): StreamedText[] {
    const all: StreamedText[] = [...this.engine.all(), ...this.remote.all()];
    return all.filter(({ message }) => conversationIds.has(message.conversation_id));
  }

  private subscribe(userId: number): UserSockets {
    const subscription = this.stream.subscribe(userId, (event) => this.send(user, event));
    const user: UserSockets = { sockets: [], subscription };
    return user;
  }

  /** In a function of its own: the timer would keep a caller's variables, such as the socket, in memory. */
  private expire(userId: number, user: UserSockets): void {
    user.expiry = setTimeout(() => {
      user.subscription.end();
      this.users.delete(userId);
    }, RECOVERY_MS).unref();
  }

  private send(user: UserSockets, event: ParleyEvent): void {
    if (event.type === 'message.delta') this.sendDelta(user, event);
    else if (event.type === 'connection.resume') user.recent = undefined;
    else if (!event.isInternal) this.recordAndSend(user, event);
  }

  private sendDelta(user: UserSockets, event: ParleyEvent): void {
    const encoded = new EncodedEvent(this.namespace.name, event);
    for (const { conn } of socketsWith(user, event.conversationId!)) {
      conn.write(encoded.message, encoded.options);
    }
  }

  private recordAndSend(user: UserSockets, event: ParleyEvent): void {
    user.recent ??= new ReplayBuffer(RECOVERY_MS);
    const offset = user.recent.add(event);
    const encodedEvents = new Map<string | undefined, EncodedEvent>();
    for (const socket of user.sockets) {
      const own = socket.data.recovery ? offset : undefined;
      let encoded = encodedEvents.get(own);
      if (!encoded) encodedEvents.set(own, (encoded = new EncodedEvent(this.namespace.name, event, own)));
      socket.conn.write(encoded.message, encoded.options);
    }
  }

  private sweep(): void {
    for (const { recent } of this.users.values()) recent?.dropOld();
  }
}

function socketsWith({ sockets }: UserSockets, conversationId: number): ChatSocket[] {
  return sockets.filter(({ data }) => data.client.isOpen(conversationId));
}
