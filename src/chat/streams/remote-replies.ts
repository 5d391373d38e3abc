import { Injectable, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { MessageDto } from '../../conversations/messages/message.dto.js';
import { REPLY_PARTS, type ReplyPart } from '../../conversations/messages/reply-chunk.entity.js';
import { Deployment } from '../../database/deployment.entity.js';
import { Settings } from '../../env/settings.js';
import { EventHub, EventRelay } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import type { RedisRelay } from '../../events/redis-relay.js';
import { type Delta, messageCreated, messageRestarted } from '../events/chat.events.js';
import { ReplyRepository } from '../replies/reply-repository.js';
import { StreamedText } from '../replies/streamed-text.js';

/** By then what another node had not stored when we looked is stored: it writes every 200 ms. */
const HEAL_AFTER_MS = 300;

/**
 * Other nodes' replies, as far as somebody here follows them. Redis brings their deltas, and may lose some; the
 * database has the text, a little later. Here the two are joined, so that what is delivered on this node has no gap.
 */
@Injectable()
export class RemoteReplies extends EventRelay implements OnModuleInit, OnApplicationShutdown {
  private readonly mirrors = new Map<number, RemoteReply>();
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
    // The client is a quarter of a second's loading, which a server without Redis need not spend.
    const { RedisRelay } = await import('../../events/redis-relay.js');
    this.relay = new RedisRelay(redisUrl, this.deployment.id, this);
    this.relay.connect();
    this.hub.connect(this);
  }

  onApplicationShutdown(): void {
    this.relay?.close();
    this.mirrors.forEach((mirror) => mirror.close());
  }

  /** Undefined where there is no Redis to be connected to. */
  get isConnected(): boolean | undefined {
    return this.relay?.isConnected;
  }

  override send(userId: number, event: ParleyEvent): void {
    // A reply that ends or begins again here is no other node's any more.
    if (event.type === 'message.completed' || event.type === 'message.restarted')
      this.drop(this.mirrors.get((event.body.message as MessageDto).id));
    this.relay?.send(userId, event);
  }

  override async listen(userId: number): Promise<void> {
    await this.relay?.listen(userId);
  }

  /** Nobody follows the user's replies here any more. */
  override leave(userId: number): void {
    this.relay?.leave(userId);
    this.dropAllOf(userId);
  }

  all(): StreamedText[] {
    return [...this.mirrors.values()];
  }

  /**
   * Follows a reply of another node, for which the hub must be `ready`.
   * @param message with the text that the database had
   * @returns its text as far as it is known on this node; undefined where there are no other nodes
   */
  follow(userId: number, message: MessageDto, attempt: number): StreamedText | undefined {
    const known = this.mirrors.get(message.id);
    if (known || !this.relay) return known;
    const mirror = this.mirror(userId, message, attempt);
    this.announce(mirror);
    // What came after the read and before this line is neither in the one nor in the other.
    mirror.healSoon();
    return mirror;
  }

  receive(userId: number, event: ParleyEvent): void {
    const message = event.body.message as MessageDto | undefined;
    if (event.type === 'message.delta') {
      const delta = event.body as unknown as Delta;
      this.mirrors.get(delta.message_id)?.take(delta);
      return;
    }
    if (event.type === 'message.created' && message?.status === 'streaming') {
      if (this.mirrors.has(message.id)) return; // announced already
      this.mirror(userId, message, 1);
    }
    if (event.type === 'message.restarted') this.restart(userId, message!, event.cursor);
    if (event.type === 'connection.resume') this.dropAllOf(userId);
    if (event.type === 'message.completed') this.finish(message!);
    this.hub.deliver(userId, event);
  }

  /** Delivers what is missing of an ended reply's text, so that nothing of it comes after its end. */
  finish(message: MessageDto): void {
    const mirror = this.mirrors.get(message.id);
    mirror?.finish(message);
    this.drop(mirror);
  }

  /** Who followed may have missed something, and is sent to come back: from where they stand nothing is lost. */
  missed(): void {
    this.mirrors.forEach((mirror) => this.drop(mirror));
    this.hub.deliverToAll(new ParleyEvent('connection.resume', {}));
  }

  /** Redis may be late with a reply's beginning for those here who had opened its conversation by then. */
  private announce(mirror: RemoteReply): void {
    const { userId, message, attempt } = mirror;
    const beginning = attempt === 1 ? messageCreated(message) : messageRestarted(message, attempt);
    const text = mirror.since({ content: 0, reasoning: 0 });
    [beginning, ...text].forEach((event) => this.hub.deliver(userId, event));
  }

  private restart(userId: number, message: MessageDto, cursor = ''): void {
    this.drop(this.mirrors.get(message.id));
    this.mirror(userId, message, Number(cursor.split('.')[1] ?? 1));
  }

  private mirror(userId: number, message: MessageDto, attempt: number): RemoteReply {
    const deliver = (event: ParleyEvent) => this.hub.deliver(userId, event);
    const read = () => this.repository.textOf(message.id, attempt);
    const mirror = new RemoteReply(message, userId, attempt, read, deliver);
    this.mirrors.set(message.id, mirror);
    return mirror;
  }

  private dropAllOf(userId: number): void {
    for (const mirror of this.mirrors.values()) if (mirror.userId === userId) this.drop(mirror);
  }

  private drop(mirror: RemoteReply | undefined): void {
    if (!mirror) return;
    mirror.close();
    this.mirrors.delete(mirror.message.id);
  }
}

/** A reply of another node: its text without a gap, from its deltas and from the database where one is missing. */
class RemoteReply extends StreamedText {
  private early: Delta[] = [];
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

  take(delta: Delta): void {
    if (delta.offset <= this.text[delta.part].length) {
      this.takeText(delta.part, delta.offset, delta.text);
    } else {
      this.early.push(delta);
      this.healSoon();
    }
  }

  healSoon(): void {
    this.timer ??= setTimeout(() => void this.backfill(), HEAL_AFTER_MS).unref();
  }

  /** Deltas that are on their way do no harm after these, but their end would come first. */
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

  /** Only what is new of it. */
  private takeText(part: ReplyPart, offset: number, text: string): void {
    const rest = text.slice(this.text[part].length - offset);
    if (rest !== '') this.deliver(this.append(part, rest));
  }
}
