import { Injectable, Logger, OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Message } from '../conversations/message.entity.js';
import { Node } from './node.entity.js';
import { ReplyEngine } from './reply-engine.js';
import { ReplyStore } from './reply-store.js';
import { ReplyAborted } from './reply.js';

const BEAT_INTERVAL_MS = 1000;
/** A reply whose node has shown no life for this long is interrupted. With the first beats: within 15 s. */
const LEASE_MS = 8000;
/** Then a silent node's row goes too. */
const FORGET_MS = 60_000;
/** Beats between two sweeps for chunks that nobody owns. */
const SWEEP_BEATS = 60;

/** What was last seen of a node or a reply, and when it last changed (milliseconds of this process's own clock). */
interface Watch {
  sign: number;
  since: number;
}

/**
 * Beats for this node, and ends the replies of nodes that no longer do. Who is dead is decided by watching a counter
 * stand still, on the watcher's own clock: no two clocks are compared, and a database that was away proves nothing.
 */
@Injectable()
export class Reaper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Reaper');
  private readonly nodes = new Map<string, Watch>();
  private readonly replies = new Map<number, Watch>();
  private timer?: NodeJS.Timeout;
  private beats = 0;
  private beating = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly store: ReplyStore,
    private readonly engine: ReplyEngine,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => void this.beat(), BEAT_INTERVAL_MS).unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async beat(): Promise<void> {
    if (this.beating) return;
    this.beating = true;
    try {
      await this.showLife();
      await this.watchNodes();
      await this.watchReplies();
      if (this.beats++ % SWEEP_BEATS === 0) await this.store.deleteOrphanedChunks();
    } catch {
      // The journal says that the database is away. What was not seen meanwhile must not count as silence.
      this.nodes.clear();
      this.replies.clear();
    } finally {
      this.beating = false;
    }
  }

  private async showLife(): Promise<void> {
    const nodes = this.database.getRepository(Node);
    const { affected } = await nodes.increment({ id: this.engine.nodeId }, 'beat', 1);
    if (affected === 0) await nodes.insert({ id: this.engine.nodeId, beat: 0 });
  }

  private async watchNodes(): Promise<void> {
    const nodes = await this.database.getRepository(Node).find();
    forgetOthers(this.nodes, new Set(nodes.map((node) => node.id)));
    for (const { id, beat } of nodes) {
      if (silentFor(this.nodes, id, beat) > FORGET_MS)
        await this.database.getRepository(Node).delete({ id, beat });
    }
  }

  /** Ends what nobody runs, and stops here what has been ended elsewhere. */
  private async watchReplies(): Promise<void> {
    const mine = this.engine.all();
    const stored = await this.store.listRunning();
    const ids = new Set(stored.map((message) => message.id));
    for (const reply of mine) if (!ids.has(reply.message.id)) reply.abort.abort(new ReplyAborted('stopped'));
    forgetOthers(this.replies, ids);
    for (const message of stored) if (this.isAbandoned(message)) await this.interrupt(message.id);
  }

  /** A reply of this node that it does not run is one whose beginning was stored, but its answer was lost. */
  private isAbandoned({ id, nodeId }: Pick<Message, 'id' | 'nodeId'>): boolean {
    const own = nodeId === this.engine.nodeId;
    if (own && this.engine.find(id)) {
      this.replies.delete(id);
      return false;
    }
    const beat = own ? -1 : (this.nodes.get(nodeId ?? '')?.sign ?? -1);
    return silentFor(this.replies, id, beat) > LEASE_MS;
  }

  private async interrupt(id: number): Promise<void> {
    if (!(await this.engine.endAbandoned(id, 'interrupted'))) return;
    this.logger.warn(`Reply ${id} was interrupted: its node is gone.`);
  }
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
