import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ReplyEngine } from '../reply-engine.js';
import { Node } from './node.entity.js';
import { RecoveryPace } from './recovery-pace.js';

/** Increments this node's counter in the database, which shows that the node runs and that the database is writable. */
@Injectable()
export class Heartbeat implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Heartbeat');
  private timer?: NodeJS.Timeout;
  private beating: Promise<void> | null = null;
  private lastStored = -Infinity;
  private failing = false;

  /** Called when a scheduled beat fails. */
  onFailure: () => void = () => undefined;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly engine: ReplyEngine,
    private readonly pace: RecoveryPace,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.tick();
    this.timer = setInterval(() => void this.tick(), this.pace.beatIntervalMs).unref();
  }

  /** Replies that use the shutdown's grace are still this node's, so it beats until then. */
  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Time since the last stored beat. */
  get silentMs(): number {
    return performance.now() - this.lastStored;
  }

  /** Concurrent calls share one write. @throws if the database does not accept it */
  beat(): Promise<void> {
    this.beating ??= this.write().finally(() => (this.beating = null));
    return this.beating;
  }

  /** Logs the first failure, and the first success after it. */
  private async tick(): Promise<void> {
    try {
      await this.beat();
      if (this.failing) this.logger.log('Heartbeat is stored again');
      this.failing = false;
    } catch (error) {
      this.onFailure();
      if (!this.failing) this.logger.warn(`Heartbeat failed: ${(error as Error).message}`);
      this.failing = true;
    }
  }

  private async write(): Promise<void> {
    const nodes = this.database.getRepository(Node);
    const { nodeId: id } = this.engine;
    const { affected } = await nodes.increment({ id }, 'beat', 1);
    if (affected === 0) await nodes.insert({ id, beat: 0 });
    this.lastStored = performance.now();
  }
}
