import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { type EntityManager, In, IsNull, LessThanOrEqual, Repository } from 'typeorm';
import { retryContention, transaction } from '../database/retry.js';
import { WebhookDelivery } from './webhook-delivery.entity.js';

/** Longer than an attempt takes, so that no other node makes one meanwhile. */
const LEASE_MS = 30_000;
const DAY_MS = 24 * 60 * 60_000;
const DELIVERED_KEPT_MS = 7 * DAY_MS;
const DEAD_KEPT_MS = 30 * DAY_MS;

/** Only pending deliveries have the time, which leaves one index to read. */
const dueAt = (now: Date) => ({ nextAttemptAt: LessThanOrEqual(now) });

/** A delivery that this node may attempt until its `nextAttemptAt`, the end of the lease. */
export type ClaimedDelivery = WebhookDelivery & { nextAttemptAt: Date };

/**
 * Stored deliveries. A node claims one by compare-and-set on `nextAttemptAt`, so that nodes do not send the same one, and
 * the claim of a node that died expires. Deliveries behind another one of their ordering key are parked when they come
 * up, and released one by one, so that a long backlog is read once.
 */
@Injectable()
export class WebhookDeliveries {
  constructor(@InjectRepository(WebhookDelivery) private readonly deliveries: Repository<WebhookDelivery>) {}

  /**
   * Claims due deliveries, those due longest first.
   * @returns fewer than `count` only if no more are due
   */
  async claimDue(count: number): Promise<ClaimedDelivery[]> {
    const claimed: ClaimedDelivery[] = [];
    while (claimed.length < count) {
      const wanted = count - claimed.length;
      const due = await this.findDue(wanted);
      const first = await this.firstIds(due);
      await this.park(due, first);
      const next = due.filter(({ id, orderingKey }) => first.get(orderingKey) === id);
      claimed.push(...(await Promise.all(next.map((delivery) => this.claim(delivery)))).flat());
      if (due.length < wanted) break;
    }
    return claimed;
  }

  /** Ends a claimed delivery, unless its lease has expired and another node has claimed it. */
  async finish(
    claimed: ClaimedDelivery,
    status: 'delivered' | 'dead',
    lastError: string | null,
  ): Promise<void> {
    const end = { status, lastError, nextAttemptAt: null, finishedAt: new Date() };
    await transaction(this.manager.dataSource, async (manager) => {
      if (await updateClaimed(manager, claimed, end)) await releaseNext(manager, claimed.orderingKey);
    });
  }

  async postpone(claimed: ClaimedDelivery, nextAttemptAt: Date, lastError: string): Promise<void> {
    await retryContention(() => updateClaimed(this.manager, claimed, { nextAttemptAt, lastError }));
  }

  /** Returns a claimed delivery whose attempt was not completed. */
  async release(claimed: ClaimedDelivery): Promise<void> {
    const unclaimed = { nextAttemptAt: new Date(), attempts: claimed.attempts - 1 };
    await retryContention(() => updateClaimed(this.manager, claimed, unclaimed));
  }

  /** Deletes delivered ones after 7 days and dead ones after 30. */
  async purge(): Promise<void> {
    const [delivered, dead] = [DELIVERED_KEPT_MS, DEAD_KEPT_MS].map((ageMs) => new Date(Date.now() - ageMs));
    await this.deliveries
      .createQueryBuilder()
      .delete()
      .where('finished_at < :delivered', { delivered })
      // Written so that the index of the status is of no use, in which most rows are delivered ones.
      .andWhere("(status <> 'dead' OR finished_at < :dead)", { dead })
      .execute();
  }

  /** Age of the oldest pending delivery in milliseconds; 0 if none is pending. */
  async oldestPendingMs(): Promise<number> {
    const oldest = await this.deliveries.findOne({
      select: { id: true, createdAt: true },
      where: { status: 'pending' },
      order: { id: 'ASC' },
    });
    return oldest ? Math.max(0, Date.now() - oldest.createdAt.getTime()) : 0;
  }

  private get manager(): EntityManager {
    return this.deliveries.manager;
  }

  private findDue(count: number): Promise<WebhookDelivery[]> {
    return this.deliveries.find({
      where: dueAt(new Date()),
      order: { nextAttemptAt: 'ASC' },
      take: count,
    });
  }

  /** The first pending delivery of each ordering key. */
  private async firstIds(due: WebhookDelivery[]): Promise<Map<string, number>> {
    if (due.length === 0) return new Map();
    const keys = [...new Set(due.map(({ orderingKey }) => orderingKey))];
    const rows = await this.deliveries
      .createQueryBuilder('delivery')
      .select('delivery.orderingKey', 'orderingKey')
      .addSelect('MIN(delivery.id)', 'id')
      .where({ orderingKey: In(keys), status: 'pending' })
      .groupBy('delivery.orderingKey')
      .getRawMany<{ orderingKey: string; id: number | string }>();
    return new Map(rows.map(({ orderingKey, id }) => [orderingKey, Number(id)]));
  }

  /** Parks what is behind the first of its key. Locks that one, so that it does not finish meanwhile. */
  private async park(due: WebhookDelivery[], first: Map<string, number>): Promise<void> {
    for (const [orderingKey, firstId] of first) {
      const blocked = due.filter((each) => each.orderingKey === orderingKey && each.id !== firstId);
      if (blocked.length === 0) continue;
      const stillDue = { id: In(blocked.map(({ id }) => id)), ...dueAt(new Date()) };
      await transaction(this.manager.dataSource, async (manager) => {
        const ahead = { id: firstId, status: 'pending' as const };
        const { affected } = await manager.update(WebhookDelivery, ahead, { status: 'pending' });
        if (affected === 1) await manager.update(WebhookDelivery, stillDue, { nextAttemptAt: null });
      });
    }
  }

  private async claim(delivery: WebhookDelivery): Promise<ClaimedDelivery[]> {
    const { id, nextAttemptAt, attempts } = delivery;
    const lease = { attempts: attempts + 1, nextAttemptAt: new Date(Date.now() + LEASE_MS) };
    const unchanged = { id, status: 'pending' as const, nextAttemptAt: nextAttemptAt! };
    const { affected } = await retryContention(() => this.deliveries.update(unchanged, lease));
    return affected === 1 ? [{ ...delivery, ...lease }] : [];
  }
}

/** @returns whether the claim was still held */
async function updateClaimed(
  manager: EntityManager,
  { id, nextAttemptAt }: ClaimedDelivery,
  change: Partial<WebhookDelivery>,
): Promise<boolean> {
  const { affected } = await manager.update(
    WebhookDelivery,
    { id, status: 'pending', nextAttemptAt },
    change,
  );
  return affected === 1;
}

/** Makes the next delivery of an ordering key due, if it is parked. */
async function releaseNext(manager: EntityManager, orderingKey: string): Promise<void> {
  const next = await manager.findOne(WebhookDelivery, {
    select: { id: true },
    where: { orderingKey, status: 'pending' },
    order: { id: 'ASC' },
  });
  if (next)
    await manager.update(
      WebhookDelivery,
      { id: next.id, nextAttemptAt: IsNull() },
      { nextAttemptAt: new Date() },
    );
}
