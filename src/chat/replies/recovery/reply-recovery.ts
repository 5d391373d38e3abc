import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Draining } from '../../../common/lifecycle/draining.js';
import { isDatabaseAway } from '../../../common/errors/database-errors.js';
import { Message } from '../../../conversations/messages/message.entity.js';
import { Heartbeat } from './heartbeat.js';
import { Node } from './node.entity.js';
import { ReplyEngine } from '../reply-engine.js';
import { ReplyRetries } from './reply-retries.js';
import { ReplyRepository } from '../reply-repository.js';
import { ReplyAborted } from '../active-reply.js';

/** After so long a silent node's row goes too. */
const FORGET_MS = 60_000;
/** After so long without a look, or without a beat of its own that was stored, what a node saw before proves nothing. */
const GAP_MS = 3000;
/** Between two sweeps for chunks that nobody owns. */
const SWEEP_INTERVAL_MS = 60_000;
/** Replies that are ended at the same time: a crash may leave a thousand, and there are 15 s. */
const AT_ONCE = 8;

/** How soon the dead are seen to; the tests' are quicker. */
@Injectable()
export class RecoveryPace {
  readonly beatIntervalMs: number = 1000;
  /** A reply whose node has shown no life for this long is interrupted. With the first beats: within 15 s. */
  readonly leaseMs: number = 8000;
}

/** What was last seen of a node or a reply, and when it last changed (milliseconds of this process's own clock). */
interface Watch {
  sign: number;
  since: number;
}

/**
 * Beats for this node, and ends the replies of nodes that no longer do. Who is dead is decided by watching a counter
 * stand still, on the watcher's own clock: no two clocks are compared, and a database that was away, or took no writes,
 * proves nothing.
 */
@Injectable()
export class ReplyRecovery implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('ReplyRecovery');
  private readonly nodes = new Map<string, Watch>();
  private readonly replies = new Map<number, Watch>();
  private readonly timers: NodeJS.Timeout[] = [];
  private lastWatch = 0;
  private lastSweep = -Infinity;
  private failing = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly repository: ReplyRepository,
    private readonly engine: ReplyEngine,
    private readonly retries: ReplyRetries,
    private readonly draining: Draining,
    private readonly pace: RecoveryPace,
    private readonly heartbeat: Heartbeat,
  ) {}

  /** Beats apart from watching, so that a node with much to end does not seem dead itself. */
  async onApplicationBootstrap(): Promise<void> {
    const beat = () => this.beat();
    const watch = oneAtATime(() => this.watch());
    await beat();
    const { beatIntervalMs } = this.pace;
    this.timers.push(setInterval(beat, beatIntervalMs).unref(), setInterval(watch, beatIntervalMs).unref());
  }

  /** Not before: replies that get their grace are still this node's. */
  onApplicationShutdown(): void {
    this.timers.forEach(clearInterval);
  }

  private async watch(): Promise<void> {
    if (this.draining.active) return;
    const now = performance.now();
    if (Math.max(now - this.lastWatch, this.heartbeat.silentMs) > GAP_MS) this.forgetAll();
    this.lastWatch = now;
    try {
      await this.watchNodes();
      await this.watchReplies();
      await this.sweep(now);
      this.lastWatch = performance.now();
    } catch (error) {
      // What was not seen while the database was away must not count as silence. That it is, the journal says.
      this.forgetAll();
      if (!isDatabaseAway(error)) this.logger.error({ error }, 'Replies of dead nodes cannot be seen to');
    }
  }

  private forgetAll(): void {
    this.nodes.clear();
    this.replies.clear();
  }

  /** Says once that beats fail, and why: it is what makes the node not ready. */
  private async beat(): Promise<void> {
    try {
      await this.heartbeat.beat();
      if (this.failing) this.logger.log('Heartbeats are stored again.');
      this.failing = false;
    } catch (error) {
      // The other nodes' counters stand still too while nobody can write.
      this.forgetAll();
      if (!this.failing) this.logger.warn(`Heartbeat failed: ${(error as Error).message}`);
      this.failing = true;
    }
  }

  private async watchNodes(): Promise<void> {
    const nodes = await this.database.getRepository(Node).find();
    forgetOthers(this.nodes, new Set(nodes.map((node) => node.id)));
    for (const { id, beat } of nodes) {
      if (silentFor(this.nodes, id, beat) > FORGET_MS)
        await this.database.getRepository(Node).delete({ id, beat });
    }
  }

  /** Sees to what nobody runs, and stops here what has been ended, or taken over, elsewhere. */
  private async watchReplies(): Promise<void> {
    const mine = this.engine.all();
    const stored = await this.repository.listRunning();
    const own = new Set(stored.filter(({ nodeId }) => nodeId === this.engine.nodeId).map(({ id }) => id));
    for (const reply of mine) if (!own.has(reply.message.id)) reply.abort.abort(new ReplyAborted('stopped'));
    forgetOthers(this.replies, new Set(stored.map(({ id }) => id)));
    const abandoned = stored.filter((message) => this.isAbandoned(message));
    for (let start = 0; start < abandoned.length; start += AT_ONCE) {
      await Promise.all(abandoned.slice(start, start + AT_ONCE).map(({ id }) => this.rescue(id)));
    }
  }

  /** A reply of this node that it does not run is one whose beginning was stored, but its answer was lost. */
  private isAbandoned({ id, nodeId }: Pick<Message, 'id' | 'nodeId'>): boolean {
    const own = nodeId === this.engine.nodeId;
    if (own && this.engine.find(id)) {
      this.replies.delete(id);
      return false;
    }
    const beat = own ? -1 : (this.nodes.get(nodeId ?? '')?.sign ?? -1);
    return silentFor(this.replies, id, beat) > this.pace.leaseMs;
  }

  private async rescue(id: number): Promise<void> {
    if (await this.retries.retry(id)) return;
    if (!(await this.engine.endAbandoned(id, 'interrupted'))) return;
    this.logger.warn(`Reply ${id} was interrupted: its node is gone.`);
  }

  private async sweep(now: number): Promise<void> {
    if (now - this.lastSweep < SWEEP_INTERVAL_MS) return;
    await this.repository.deleteOrphanedChunks();
    this.lastSweep = now;
  }
}

/** @returns what does nothing while its last call is under way */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  return () => (running ??= work().finally(() => (running = null)));
}

/** @returns milliseconds since the sign last changed, as far as this process has seen */
function silentFor<K>(watches: Map<K, Watch>, key: K, sign: number): number {
  const now = performance.now();
  const watch = watches.get(key);
  if (watch?.sign === sign) return now - watch.since;
  watches.set(key, { sign, since: now });
  return 0;
}

function forgetOthers<K>(watches: Map<K, Watch>, present: Set<K>): void {
  for (const key of watches.keys()) if (!present.has(key)) watches.delete(key);
}
