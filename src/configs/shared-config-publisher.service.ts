import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setImmediate } from 'node:timers/promises';
import { EventHub } from '../events/event-hub.js';
import { ParleyEvent } from '../events/parley-event.js';
import { ConfigLists } from './config-lists.service.js';

/** Channel of all nodes, in place of a user's id. */
const ALL_NODES = 0;
/** Users per query. */
const PAGE = 1000;

/**
 * Publishes `config.changed` to all connected users when a shared configuration has changed. Each node reads the lists
 * of its own users, many at once.
 */
@Injectable()
export class SharedConfigPublisher implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('SharedConfigs');
  private unsubscribe?: () => void;
  private running: Promise<void> | null = null;
  private isStale = false;

  constructor(
    private readonly hub: EventHub,
    private readonly lists: ConfigLists,
  ) {}

  onApplicationBootstrap(): void {
    this.unsubscribe = this.hub.subscribe(ALL_NODES, ({ type }) => {
      if (type === 'shared-configs.changed') this.deliver();
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe?.();
  }

  /** Delivers the changed lists on this node and on others, in the background. */
  publishChange(): void {
    this.hub.publish(ALL_NODES, new ParleyEvent('shared-configs.changed', {}));
  }

  /** A change during a delivery starts another one after it. */
  private deliver(): void {
    this.isStale = true;
    this.running ??= this.deliverAll()
      .catch((error: unknown) =>
        this.logger.warn({ error: String(error) }, 'Failed to publish shared configs'),
      )
      .finally(() => (this.running = null));
  }

  private async deliverAll(): Promise<void> {
    while (this.isStale) {
      this.isStale = false;
      const userIds = this.hub.subscribedUsers().filter((id) => id !== ALL_NODES);
      for (let start = 0; start < userIds.length; start += PAGE) {
        await this.deliverTo(userIds.slice(start, start + PAGE));
        await setImmediate();
      }
    }
  }

  private async deliverTo(userIds: number[]): Promise<void> {
    const lists = await this.lists.read(userIds);
    const sharedOnly = new ParleyEvent('config.changed', { configs: lists.sharedOnly });
    for (const userId of userIds) {
      const configs = lists.get(userId);
      this.hub.deliver(userId, configs ? new ParleyEvent('config.changed', { configs }) : sharedOnly);
    }
  }
}
