import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { Deployment } from '../../database/deployment.entity.js';
import { Settings } from '../../env/settings.js';
import { EventHub, EventRelay } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import type { RedisRelay } from '../../events/redis-relay.js';
import { messageCreated, messageRestarted } from '../events/chat.events.js';
import { parseCursor } from '../events/cursor.js';
import type { MessageDeltaDto } from '../events/event.dto.js';
import { ReplyRepository } from '../replies/reply-repository.js';
import { StreamedText } from '../replies/streamed-text.js';

/** Time after which another node has stored the text: it writes every 200 ms. */
const BACKFILL_AFTER_MS = 300;

/**
 * Replies of other nodes that are followed on this node. Joins deltas from Redis, which may lose some, with stored text,
 * so that the deltas delivered on this node have no gap.
 */
@Injectable()
export class RemoteReplies extends EventRelay implements OnModuleInit, OnApplicationShutdown {
  private readonly replies = new Map<number, RemoteReply>();
  private relay?: RedisRelay;

  constructor(
    private readonly settings: Settings,
    private readonly deployment: Deployment,
    private readonly hub: EventHub,
    private readonly repository: ReplyRepository,
  ) {
    super();
  }

  async onModuleInit(): Promise<void> {
    const { redisUrl } = this.settings;
    if (!redisUrl) return;
    // Loaded on demand: the Redis client is slow to load.
    const { RedisRelay } = await import('../../events/redis-relay.js');
    this.relay = new RedisRelay(redisUrl, this.deployment.id, this);
    this.hub.connect(this);
    await this.relay.connect();
  }

  onApplicationShutdown(): void {
    this.relay?.close();
    this.replies.forEach((reply) => reply.close());
  }

  /** Undefined without a Redis. */
  get isConnected(): boolean | undefined {
    return this.relay?.isConnected;
  }

  override send(userId: number, event: ParleyEvent): void {
    // A reply that ends or restarts on this node is no longer remote.
    if (event.type === 'message.completed' || event.type === 'message.restarted')
      this.drop(this.replies.get((event.body.message as MessageDto).id));
    this.relay?.send(userId, event);
  }

  override async listen(userId: number): Promise<void> {
    await this.relay?.listen(userId);
  }

  /** Called when the user's last subscription on this node has ended. */
  override leave(userId: number): void {
    this.relay?.leave(userId);
    this.dropAllOf(userId);
  }

  all(): StreamedText[] {
    return [...this.replies.values()];
  }

  /**
   * Follows a reply of another node. Requires a subscription that is ready.
   * @param message with the stored text
   * @returns the text known on this node; undefined without a Redis
   */
  follow(userId: number, message: MessageDto, attempt: number): StreamedText | undefined {
    const known = this.replies.get(message.id);
    if (known || !this.relay) return known;
    const reply = this.add(userId, message, attempt);
    this.announce(reply);
    // Deltas between the read and this line were not received.
    reply.backfillSoon();
    return reply;
  }

  receive(userId: number, event: ParleyEvent): void {
    const message = event.body.message as MessageDto | undefined;
    if (event.type === 'message.delta') {
      const delta = event.body as unknown as MessageDeltaDto;
      this.replies.get(delta.message_id)?.take(delta);
      return;
    }
    if (event.type === 'message.created' && message?.status === 'streaming') {
      if (this.replies.has(message.id)) return; // announced already
      this.add(userId, message, 1);
    }
    if (event.type === 'message.restarted') this.restart(userId, message!, event.cursor);
    if (event.type === 'connection.resume') this.dropAllOf(userId);
    if (event.type === 'message.completed') this.finish(message!);
    this.hub.deliver(userId, event);
  }

  /** Delivers the missing text of a completed reply before its end. */
  finish(message: MessageDto): void {
    const reply = this.replies.get(message.id);
    reply?.finish(message);
    this.drop(reply);
  }

  /** Makes all clients resume: events may have been missed. */
  missed(): void {
    this.replies.forEach((reply) => this.drop(reply));
    this.hub.deliverToAll(new ParleyEvent('connection.resume', {}));
  }

  /** Delivers the beginning of a reply to clients that have its conversation open: Redis may be late with it. */
  private announce(reply: RemoteReply): void {
    const { userId, message, attempt } = reply;
    const beginning = attempt === 1 ? messageCreated(message) : messageRestarted(message, attempt);
    const text = reply.since({ content: 0, reasoning: 0 });
    [beginning, ...text].forEach((event) => this.hub.deliver(userId, event));
  }

  private restart(userId: number, message: MessageDto, cursor: string | undefined): void {
    this.drop(this.replies.get(message.id));
    this.add(userId, message, parseCursor(cursor)?.attempt ?? 1);
  }

  private add(userId: number, message: MessageDto, attempt: number): RemoteReply {
    const deliver = (event: ParleyEvent) => this.hub.deliver(userId, event);
    const read = () => this.repository.textOf(message.id, attempt);
    const reply = new RemoteReply(message, userId, attempt, read, deliver);
    this.replies.set(message.id, reply);
    return reply;
  }

  private dropAllOf(userId: number): void {
    for (const reply of this.replies.values()) if (reply.userId === userId) this.drop(reply);
  }

  private drop(reply: RemoteReply | undefined): void {
    if (!reply) return;
    reply.close();
    this.replies.delete(reply.message.id);
  }
}

/** A reply of another node: its text from deltas, and from the database after a gap. */
class RemoteReply extends StreamedText {
  private early: MessageDeltaDto[] = [];
  private timer?: NodeJS.Timeout;
  private closed = false;

  constructor(
    message: MessageDto,
    readonly userId: number,
    attempt: number,
    private readonly read: () => Promise<Record<ReplyPart, string>>,
    private readonly deliver: (event: ParleyEvent) => void,
  ) {
    super(message, attempt);
    this.text.content.append(message.content);
    this.text.reasoning.append(message.reasoning);
  }

  take(delta: MessageDeltaDto): void {
    if (delta.offset <= this.text[delta.part].length) {
      this.takeText(delta.part, delta.offset, delta.text);
    } else {
      this.early.push(delta);
      this.backfillSoon();
    }
  }

  backfillSoon(): void {
    this.timer ??= setTimeout(() => void this.backfill(), BACKFILL_AFTER_MS).unref();
  }

  /** Delivers the rest of the text. Deltas that arrive later repeat it, which is harmless. */
  finish(message: MessageDto): void {
    this.missingOf(message).forEach((event) => this.deliver(event));
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async backfill(): Promise<void> {
    const stored = await this.read().catch(() => null);
    this.timer = undefined;
    if (this.closed) return;
    for (const part of REPLY_PARTS) {
      if (stored) this.takeText(part, 0, stored[part]);
    }
    const early = this.early;
    this.early = [];
    early.forEach((delta) => this.take(delta));
  }

  /** Appends and delivers the part of a text that is not known yet. */
  private takeText(part: ReplyPart, offset: number, text: string): void {
    const rest = text.slice(this.text[part].length - offset);
    if (rest !== '') this.deliver(this.append(part, rest));
  }
}
