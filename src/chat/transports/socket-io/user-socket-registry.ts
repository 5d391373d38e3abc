import { Injectable, OnModuleDestroy } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import type { MessageDto } from '../../../conversations/messages/message.dto.js';
import { EventHub } from '../../../events/event-hub.js';
import { type EventListener, ParleyEvent } from '../../../events/parley-event.js';
import { ConversationSubscriptions } from '../shared/conversation-subscriptions.js';
import { ReplayBuffer, type BufferedEvent } from './replay-buffer.js';
import { RECOVERY_MS } from './recovery.adapter.js';
import { RemoteReplies } from '../../streams/remote-replies.js';
import { ReplyEngine } from '../../replies/reply-engine.js';
import { type StreamedText, wholeText } from '../../replies/streamed-text.js';
import { EncodedEvent } from './encoded-event.js';
import type { ChatSocket } from './chat-socket.js';

const SWEEP_INTERVAL_MS = 60_000;

/** Running replies' text that a recovered socket is sent at once: a whole reply's. UTF-16 code units. */
const MOST_TEXT = 10 * 1024 * 1024;

/** The sockets of one user. */
interface Audience {
  sockets: ChatSocket[];
  /** Until something happens there is none. */
  recent?: ReplayBuffer;
  listen: EventListener;
  leaving?: NodeJS.Timeout;
}

/** Brings what happens to a user's things to the user's Socket.IO sockets: once for all of them. */
@Injectable()
export class UserSocketRegistry implements OnModuleDestroy {
  private namespace!: Namespace;
  private readonly audiences = new Map<number, Audience>();
  /** Of the latest delta, for the next of its sockets. */
  private delta?: { event: ParleyEvent; packet: EncodedEvent };
  private readonly timer = setInterval(() => this.sweep(), SWEEP_INTERVAL_MS).unref();

  constructor(
    private readonly hub: EventHub,
    private readonly engine: ReplyEngine,
    private readonly remote: RemoteReplies,
  ) {}

  attach(namespace: Namespace): void {
    this.namespace = namespace;
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  join(userId: number, socket: ChatSocket): void {
    let audience = this.audiences.get(userId);
    if (!audience) this.audiences.set(userId, (audience = this.gather(userId)));
    audience.sockets = audience.sockets.concat(socket);
    clearTimeout(audience.leaving);
  }

  /** Its audience outlives a user's last socket for as long as that may be recovered. */
  leave(userId: number, socket: ChatSocket): void {
    const audience = this.audiences.get(userId)!;
    audience.sockets = audience.sockets.filter((each) => each !== socket);
    if (audience.sockets.length === 0) this.forgetLater(userId, audience);
  }

  /** @returns null where some of what a socket has missed is no longer kept */
  missedSince(userId: number, offset: string): BufferedEvent[] | null {
    return this.audiences.get(userId)?.recent?.since(offset) ?? null;
  }

  /** Whether what a socket has missed is still kept, and is not too much to be sent at once. */
  canReplay(userId: number, offset: string, opened: number[]): boolean {
    const lengths = this.runningIn(new Set(opened)).map(({ length }) => length);
    const sum = lengths.reduce((total, length) => total + length, 0);
    return sum <= MOST_TEXT && this.missedSince(userId, offset) !== null;
  }

  /** Of deltas none is kept: the whole text goes before a reply's end. */
  textBefore({ type, body }: ParleyEvent): ParleyEvent[] {
    return type === 'message.completed' ? wholeText(body.message as MessageDto, 1) : [];
  }

  /** The replies that run in these conversations are sent again, from their start. */
  textSoFar(conversationIds: Set<number>): ParleyEvent[] {
    return this.runningIn(conversationIds).flatMap((reply) => reply.since({ content: 0, reasoning: 0 }));
  }

  private runningIn(conversationIds: Set<number>): StreamedText[] {
    const all: StreamedText[] = [...this.engine.all(), ...this.remote.all()];
    return all.filter(({ message }) => conversationIds.has(message.conversation_id));
  }

  conversationsOf(socket: ChatSocket): ConversationSubscriptions {
    return new ConversationSubscriptions(this.hub, (event) => this.sendDelta(socket, event));
  }

  private gather(userId: number): Audience {
    const listen = (event: ParleyEvent) => {
      if (event.type === 'connection.resume') audience.recent = undefined;
      else if (!event.isInternal) this.emit(audience, event);
    };
    const audience: Audience = { sockets: [], listen };
    this.hub.subscribe(userId, listen);
    return audience;
  }

  /** A function of its own, as a timer keeps all that is in scope where it is made: the socket that leaves, for one. */
  private forgetLater(userId: number, audience: Audience): void {
    audience.leaving = setTimeout(() => {
      this.hub.unsubscribe(userId, audience.listen);
      this.audiences.delete(userId);
    }, RECOVERY_MS).unref();
  }

  /** Around Socket.IO's own broadcast, which costs as much as all else that Parley does for a token. */
  private emit(audience: Audience, event: ParleyEvent): void {
    audience.recent ??= new ReplayBuffer(RECOVERY_MS);
    const offset = audience.recent.add(event);
    const packets = new Map<string | undefined, EncodedEvent>();
    for (const socket of audience.sockets) {
      const own = socket.data.recovery ? offset : undefined;
      let packet = packets.get(own);
      if (!packet) packets.set(own, (packet = new EncodedEvent(this.namespace.name, event, own)));
      packet.sendTo(socket);
    }
  }

  private sendDelta(socket: ChatSocket, event: ParleyEvent): void {
    if (this.delta?.event !== event)
      this.delta = { event, packet: new EncodedEvent(this.namespace.name, event) };
    this.delta.packet.sendTo(socket);
  }

  private sweep(): void {
    for (const { recent } of this.audiences.values()) recent?.dropOld();
  }
}
