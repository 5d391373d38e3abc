import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Message } from '../../../conversations/messages/message.entity.js';
import type { ActiveReply } from '../active-reply.js';
import { ReplyEngine } from '../reply-engine.js';
import { ReplyRepository } from '../reply-repository.js';
import { CounterWatch } from './counter-watch.js';
import { Heartbeat } from './heartbeat.js';
import { Node } from './node.entity.js';
import { RecoveryPace } from './recovery-pace.js';

/** A silent node's row is deleted after this time. */
const FORGET_NODE_MS = 60_000;
/** Earlier observations are discarded after a longer pause of the scan or of this node's own heartbeat. */
const MAX_GAP_MS = 3000;

export interface Scanned {
  /** Ids of running replies whose node is dead. */
  abandoned: number[];
  /** Replies of this process that were ended or claimed elsewhere. */
  lost: ActiveReply[];
}

/**
 * Finds replies of dead nodes. A node is dead when its heartbeat counter has not changed for the lease, measured on
 * this process's clock, while this process scanned and the database was writable.
 */
@Injectable()
export class RecoveryScan {
  private readonly nodes = new CounterWatch<string>();
  private readonly replies = new CounterWatch<number>();
  private lastActive = 0;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly repository: ReplyRepository,
    private readonly engine: ReplyEngine,
    private readonly heartbeat: Heartbeat,
    private readonly pace: RecoveryPace,
  ) {
    // A database that is not writable stops the counters of all nodes.
    heartbeat.onFailure = () => this.reset();
  }

  get intervalMs(): number {
    return this.pace.beatIntervalMs;
  }

  /** @param handle its duration does not count as a pause */
  async run(handle: (scanned: Scanned) => Promise<void>): Promise<void> {
    this.resetAfterPause();
    try {
      await this.observeNodes();
      await handle(await this.scan());
      this.lastActive = performance.now();
    } catch (error) {
      // The counters may have changed while the database was unavailable.
      this.reset();
      throw error;
    }
  }

  private resetAfterPause(): void {
    const now = performance.now();
    if (Math.max(now - this.lastActive, this.heartbeat.silentMs) > MAX_GAP_MS) this.reset();
    this.lastActive = now;
  }

  private reset(): void {
    this.nodes.clear();
    this.replies.clear();
  }

  private async observeNodes(): Promise<void> {
    const nodes = await this.database.getRepository(Node).find();
    this.resetAfterPause();
    this.nodes.retain(new Set(nodes.map((node) => node.id)));
    for (const { id, beat } of nodes) {
      if (this.nodes.unchangedMs(id, beat) > FORGET_NODE_MS)
        await this.database.getRepository(Node).delete({ id, beat });
    }
  }

  private async scan(): Promise<Scanned> {
    // Before the read, so that a reply that starts meanwhile is not lost.
    const mine = this.engine.all();
    const stored = await this.repository.listRunning();
    this.resetAfterPause();
    this.replies.retain(new Set(stored.map(({ id }) => id)));
    const owned = new Set(stored.filter(({ nodeId }) => nodeId === this.engine.nodeId).map(({ id }) => id));
    return {
      abandoned: stored.filter((reply) => this.isAbandoned(reply)).map(({ id }) => id),
      lost: mine.filter(({ message }) => !owned.has(message.id)),
    };
  }

  /** A reply that this node owns but does not run was stored by a transaction whose result was lost. */
  private isAbandoned({ id, nodeId }: Pick<Message, 'id' | 'nodeId'>): boolean {
    const isOwned = nodeId === this.engine.nodeId;
    if (isOwned && this.engine.find(id)) {
      this.replies.delete(id);
      return false;
    }
    const beat = isOwned ? -1 : (this.nodes.valueOf(nodeId ?? '') ?? -1);
    return this.replies.unchangedMs(id, beat) > this.pace.leaseMs;
  }
}
