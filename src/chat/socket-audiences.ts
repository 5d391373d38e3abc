import { Injectable, OnModuleDestroy } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import { EventHub, ParleyEvent } from '../events/event-hub.js';
import { RecentEvents, type RecentEvent } from './recent-events.js';
import { RECOVERY_MS } from './recovery.adapter.js';
import { RemoteReplies } from './remote-replies.js';
import { ReplyEngine } from './reply-engine.js';
import { SharedPacket } from './shared-packet.js';

const SWEEP_INTERVAL_MS = 60_000;

/** The sockets of one user. */
interface Audience {
  sockets: number;
  recent: RecentEvents;
  unsubscribe: () => void;
  leaving?: NodeJS.Timeout;
}

export const userRoom = (id: number) => `user:${id}`;
export const conversationRoom = (id: number) => `conversation:${id}`;

/** Brings what happens to a user's things to the user's Socket.IO sockets: once for all of them. */
@Injectable()
export class SocketAudiences implements OnModuleDestroy {
  private namespace!: Namespace;
  private readonly audiences = new Map<number, Audience>();
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

  /** Its audience outlives a user's last socket for as long as that may be recovered. @returns what ends the socket's part */
  join(userId: number): () => void {
    let audience = this.audiences.get(userId);
    if (!audience) this.audiences.set(userId, (audience = this.gather(userId)));
    audience.sockets++;
    clearTimeout(audience.leaving);
    return () => this.leave(userId, audience);
  }

  /** @returns null where some of what a socket has missed is no longer kept */
  missedSince(userId: number, offset: string): RecentEvent[] | null {
    return this.audiences.get(userId)?.recent.since(offset) ?? null;
  }

  /** Of deltas none is kept: the replies that run in these rooms are sent again, from their start. */
  textSoFar(rooms: Set<string>): ParleyEvent[] {
    return [...this.engine.all(), ...this.remote.all()]
      .filter(({ message }) => rooms.has(conversationRoom(message.conversation_id)))
      .flatMap((reply) => reply.since({ content: 0, reasoning: 0 }));
  }

  private gather(userId: number): Audience {
    const recent = new RecentEvents(RECOVERY_MS);
    const unsubscribe = this.hub.subscribe(userId, (event) => {
      if (event.type === 'connection.resume') audience.recent = new RecentEvents(RECOVERY_MS);
      else if (!event.isInternal) this.emit(userId, audience, event);
    });
    const audience: Audience = { sockets: 0, recent, unsubscribe };
    return audience;
  }

  private emit(userId: number, { recent }: Audience, event: ParleyEvent): void {
    if (event.type === 'message.delta') this.emitDelta(event);
    else this.namespace.to(userRoom(userId)).emit(event.type, event.body, recent.add(event));
  }

  /** Around Socket.IO's own broadcast, which costs as much as all else that Parley does for a token. */
  private emitDelta(event: ParleyEvent): void {
    const { adapter, sockets, name } = this.namespace;
    const opened = adapter.rooms.get(conversationRoom(event.conversationId!));
    if (!opened) return;
    const packet = new SharedPacket(name, event);
    for (const id of opened) {
      // A socket that is being recovered is in its rooms before it is admitted.
      const socket = sockets.get(id);
      if (socket) packet.sendTo(socket);
    }
  }

  private leave(userId: number, audience: Audience): void {
    if (--audience.sockets > 0) return;
    audience.leaving = setTimeout(() => {
      audience.unsubscribe();
      this.audiences.delete(userId);
    }, RECOVERY_MS).unref();
  }

  private sweep(): void {
    for (const { recent } of this.audiences.values()) recent.dropOld();
  }
}
