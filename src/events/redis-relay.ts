import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { createClient } from 'redis';
import { EventType, ParleyEvent } from './event-hub.js';

const CHANNEL_PREFIX = 'parley:events:';

export interface RelayReceiver {
  /** An event that another node has published. */
  receive(userId: number, event: ParleyEvent): void;
  /** Events may have been missed: the connection was lost, and is back. */
  missed(): void;
}

/**
 * Events between nodes, over Redis' publish and subscribe: a channel a user. It carries news alone; what is true is
 * in the database, so that a message lost here is no word lost.
 */
export class RedisRelay {
  private readonly logger = new Logger('RedisRelay');
  private readonly nodeId = randomUUID();
  private readonly publisher;
  private readonly subscriber;
  private readonly listening = new Map<number, Promise<unknown>>();
  private lost = false;

  constructor(
    url: string,
    private readonly receiver: RelayReceiver,
  ) {
    // What cannot be sent now is not sent later: it would be out of order, and clients catch up from the database.
    this.publisher = createClient({ url, disableOfflineQueue: true });
    this.subscriber = createClient({ url });
    this.publisher.on('error', () => undefined);
    this.subscriber.on('error', (error: Error) => this.noticeLoss(error));
    this.subscriber.on('ready', () => this.noticeReturn());
  }

  /** Does not wait for Redis to be there: it is tried again for as long as it is away. */
  connect(): void {
    void this.publisher.connect().catch(() => undefined);
    void this.subscriber.connect().catch(() => undefined);
  }

  close(): void {
    for (const client of [this.publisher, this.subscriber]) if (client.isOpen) client.destroy();
  }

  send(userId: number, { type, cursor = '', json }: ParleyEvent): void {
    if (!this.publisher.isReady) return;
    this.publisher
      .publish(CHANNEL_PREFIX + userId, `${this.nodeId} ${type} ${cursor} ${json}`)
      .catch(() => undefined);
  }

  listen(userId: number): Promise<unknown> {
    let listening = this.listening.get(userId);
    if (!listening) {
      const asked = this.subscriber
        .subscribe(CHANNEL_PREFIX + userId, (text) => this.take(userId, text))
        .catch(() => undefined);
      // While Redis is away the client keeps the subscription for when it is back: nobody waits for that.
      listening = this.subscriber.isReady ? asked : Promise.resolve();
      this.listening.set(userId, listening);
    }
    return listening;
  }

  leave(userId: number): void {
    this.listening.delete(userId);
    if (this.subscriber.isOpen)
      void this.subscriber.unsubscribe(CHANNEL_PREFIX + userId).catch(() => undefined);
  }

  private take(userId: number, text: string): void {
    const [, nodeId, type, cursor, json] = /^(\S+) (\S+) (\S*) (.*)$/s.exec(text) ?? [];
    if (nodeId === undefined || nodeId === this.nodeId) return;
    const body = JSON.parse(json!) as ParleyEvent['body'];
    this.receiver.receive(userId, new ParleyEvent(type as EventType, body, cursor || undefined));
  }

  private noticeLoss(error: Error): void {
    if (!this.lost) this.logger.warn(`Redis is away; nodes do not hear of each other: ${error.message}`);
    this.lost = true;
  }

  private noticeReturn(): void {
    if (!this.lost) return;
    this.lost = false;
    this.logger.log('Redis is back.');
    this.receiver.missed();
  }
}
