import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { type RedisClient, RedisConnection } from '../common/redis/redis-connection.js';
import { EventType, ParleyEvent } from './parley-event.js';

/**
 * Longer events are not published: Redis disconnects a subscriber with 32 MB buffered. The user's clients on other nodes
 * resume from the database instead. UTF-16 code units.
 */
const MAX_LENGTH = 2 * 1024 * 1024;

export interface RelayReceiver {
  /** An event that another node has published. */
  receive(userId: number, event: ParleyEvent): void;
  /** Called after a lost connection: events may have been missed. */
  missed(): void;
}

/**
 * Events between nodes over Redis pub/sub, one channel per user. Lost events are read from the database. Channel names
 * contain the deployment's id: pub/sub ignores Redis database numbers.
 */
export class RedisRelay {
  private readonly logger = new Logger('RedisRelay');
  private readonly nodeId = randomUUID();
  private readonly publisher;
  private readonly subscriber;
  private readonly channels: string;
  /** By user; each resolves once Redis has confirmed it. */
  private readonly subscriptions = new Map<number, Promise<void>>();
  /** The last call of each user, after which the next one runs. */
  private readonly queues = new Map<number, Promise<void>>();
  /** Users whose events could not be published. */
  private readonly unsent = new Set<number>();
  /** Users subscribed by the current connection before it was ready. */
  private renewed = new Set<number>();
  private lost = false;

  constructor(
    url: string,
    deploymentId: string,
    private readonly receiver: RelayReceiver,
  ) {
    this.channels = `parley:${deploymentId}:events:`;
    this.publisher = new RedisConnection(url);
    this.subscriber = new RedisConnection(url, {}, (client) => this.renewSubscriptions(client));
    this.publisher.on('error', () => undefined);
    this.publisher.on('ready', () => this.resumeUnsent());
    this.subscriber.on('error', (error: Error) => this.handleLoss(error));
    this.subscriber.on('ready', () => this.handleReady());
  }

  /** Resolves after the first attempt to connect, so that clients connect after it. Retries until it succeeds. */
  async connect(): Promise<void> {
    await Promise.all([this.publisher.start(), this.subscriber.start()]);
  }

  close(): void {
    this.publisher.close();
    this.subscriber.close();
  }

  /** Closes the connections once Redis has received what was sent before. */
  async finish(): Promise<void> {
    if (this.publisher.isReady) await this.publisher.client.ping().catch(() => undefined);
    this.close();
  }

  get isConnected(): boolean {
    return this.publisher.isReady && this.subscriber.isReady;
  }

  send(userId: number, { type, cursor = '', json }: ParleyEvent): void {
    if (json.length > MAX_LENGTH) return this.send(userId, new ParleyEvent('connection.resume', {}));
    if (!this.publisher.isReady) return void this.unsent.add(userId);
    this.publisher.client
      .publish(this.channels + userId, `${this.nodeId} ${type} ${cursor} ${json}`)
      .catch(() => this.unsent.add(userId));
  }

  async listen(userId: number): Promise<void> {
    const subscription = this.subscriptions.get(userId) ?? this.subscribe(userId);
    // Not awaited while Redis is unavailable: all users are subscribed when it returns.
    if (this.subscriber.isReady) await subscription;
  }

  leave(userId: number): void {
    if (!this.subscriptions.delete(userId)) return;
    void this.enqueue(userId, () => this.subscriber.client.unsubscribe(this.channels + userId, this.receive));
  }

  private subscribe(userId: number): Promise<void> {
    const subscription = this.enqueue(userId, () =>
      this.subscriber.client.subscribe(this.channels + userId, this.receive),
    );
    this.subscriptions.set(userId, subscription);
    return subscription;
  }

  /** Serializes calls per user: the Redis client loses a SUBSCRIBE issued during an UNSUBSCRIBE. */
  private enqueue(userId: number, work: () => Promise<void>): Promise<void> {
    const call = (this.queues.get(userId) ?? Promise.resolve()).then(work).catch(() => undefined);
    this.queues.set(userId, call);
    void call.then(() => this.queues.get(userId) === call && this.queues.delete(userId));
    return call;
  }

  private readonly receive = (text: string, channel: string): void => {
    const [, nodeId, type, cursor, json] = /^(\S+) (\S+) (\S*) (.*)$/s.exec(text) ?? [];
    if (nodeId === undefined || nodeId === this.nodeId) return;
    const userId = Number(channel.slice(this.channels.length));
    const body = JSON.parse(json!) as ParleyEvent['body'];
    this.receiver.receive(userId, new ParleyEvent(type as EventType, body, cursor || undefined));
  };

  private handleLoss(error: Error): void {
    if (!this.lost)
      this.logger.warn(`Redis is unavailable; events of other nodes are not received: ${error.message}`);
    this.lost = true;
  }

  /** Also called for the first connection: users may have subscribed before it. */
  private handleReady(): void {
    if (this.lost) this.logger.log('Redis is available again');
    this.lost = false;
    for (const userId of this.subscriptions.keys())
      if (!this.renewed.has(userId)) void this.subscribe(userId);
    this.receiver.missed();
  }

  private async renewSubscriptions(client: RedisClient): Promise<void> {
    this.renewed = new Set(this.subscriptions.keys());
    const channels = [...this.renewed].map((userId) => this.channels + userId);
    if (channels.length > 0) await client.subscribe(channels, this.receive);
  }

  /** Makes clients on other nodes resume after events that could not be published. */
  private resumeUnsent(): void {
    const users = [...this.unsent];
    this.unsent.clear();
    for (const userId of users) this.send(userId, new ParleyEvent('connection.resume', {}));
  }
}
