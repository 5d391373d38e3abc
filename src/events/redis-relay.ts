import { Logger } from '@nestjs/common';
import { createClient } from 'redis';
import { randomUUID } from 'node:crypto';
import { reconnectWhenSilent, redisOptions } from '../common/redis.js';
import { EventType, ParleyEvent } from './parley-event.js';

/**
 * Redis cuts a subscriber for which 32 MB wait, and with it all users of its node: what is longer is left to the
 * database, from which the user's clients on other nodes are sent to catch up. UTF-16 code units.
 */
const LONGEST = 2 * 1024 * 1024;

export interface RelayReceiver {
  /** An event that another node has published. */
  receive(userId: number, event: ParleyEvent): void;
  /** Events may have been missed: the connection was lost, and is back. */
  missed(): void;
}

/**
 * Events between nodes, over Redis' publish and subscribe: a channel a user. It carries news alone; what is true is
 * in the database, so that a message lost here is no word lost. Other deployments on the same Redis have users of the
 * same ids: the channels of each bear its name. (The number of a Redis database would not keep them apart.)
 */
export class RedisRelay {
  private readonly logger = new Logger('RedisRelay');
  private readonly nodeId = randomUUID();
  private readonly publisher;
  private readonly subscriber;
  private readonly channels: string;
  /** By user; each resolves once it stands. */
  private readonly subscriptions = new Map<number, Promise<void>>();
  private readonly turns = new Map<number, Promise<void>>();
  /** Whose events could not be sent, so that other nodes have missed something. */
  private readonly unsent = new Set<number>();
  private lost = false;

  constructor(
    url: string,
    deploymentId: string,
    private readonly receiver: RelayReceiver,
  ) {
    this.channels = `parley:${deploymentId}:events:`;
    const options = redisOptions(url);
    // What cannot be sent now is not sent later: it would be out of order, and clients catch up from the database.
    this.publisher = createClient({ ...options, disableOfflineQueue: true });
    this.subscriber = createClient(options);
    reconnectWhenSilent(this.publisher);
    this.publisher.on('error', () => undefined);
    this.publisher.on('ready', () => this.makeUp());
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

  get isConnected(): boolean {
    return this.publisher.isReady && this.subscriber.isReady;
  }

  send(userId: number, { type, cursor = '', json }: ParleyEvent): void {
    if (json.length > LONGEST) return this.send(userId, new ParleyEvent('connection.resume', {}));
    if (!this.publisher.isReady) return void this.unsent.add(userId);
    this.publisher
      .publish(this.channels + userId, `${this.nodeId} ${type} ${cursor} ${json}`)
      .catch(() => this.unsent.add(userId));
  }

  async listen(userId: number): Promise<void> {
    const subscription = this.subscriptions.get(userId) ?? this.subscribe(userId);
    // While Redis is away the client keeps the subscription for when it is back: nobody waits for that.
    if (this.subscriber.isReady) await subscription;
  }

  leave(userId: number): void {
    if (!this.subscriptions.delete(userId)) return;
    void this.inTurn(userId, () => this.subscriber.unsubscribe(this.channels + userId, this.take));
  }

  private subscribe(userId: number): Promise<void> {
    const stands = this.inTurn(userId, () => this.subscriber.subscribe(this.channels + userId, this.take));
    this.subscriptions.set(userId, stands);
    return stands;
  }

  /** Redis' client loses a subscription that is asked for while the one before is being ended. */
  private inTurn(userId: number, work: () => Promise<void>): Promise<void> {
    const turn = (this.turns.get(userId) ?? Promise.resolve()).then(work).catch(() => undefined);
    this.turns.set(userId, turn);
    void turn.then(() => this.turns.get(userId) === turn && this.turns.delete(userId));
    return turn;
  }

  private readonly take = (text: string, channel: string): void => {
    const [, nodeId, type, cursor, json] = /^(\S+) (\S+) (\S*) (.*)$/s.exec(text) ?? [];
    if (nodeId === undefined || nodeId === this.nodeId) return;
    const userId = Number(channel.slice(this.channels.length));
    const body = JSON.parse(json!) as ParleyEvent['body'];
    this.receiver.receive(userId, new ParleyEvent(type as EventType, body, cursor || undefined));
  };

  private noticeLoss(error: Error): void {
    if (!this.lost) this.logger.warn(`Redis is away; nodes do not hear of each other: ${error.message}`);
    this.lost = true;
  }

  /** Also when it is there for the first time, for those who came before. */
  private noticeReturn(): void {
    if (this.lost) this.logger.log('Redis is back.');
    this.lost = false;
    // The client renews what stood, but not what was on its way when the connection broke.
    for (const userId of this.subscriptions.keys()) void this.subscribe(userId);
    this.receiver.missed();
  }

  /** Clients on other nodes cannot see what they have missed: they are sent to come back, and resume. */
  private makeUp(): void {
    const users = [...this.unsent];
    this.unsent.clear();
    for (const userId of users) this.send(userId, new ParleyEvent('connection.resume', {}));
  }
}
