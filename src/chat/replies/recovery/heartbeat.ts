import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { Node } from './node.entity.js';
import { ReplyEngine } from '../reply-engine.js';

/** Counts up this node's row, as a sign of life and as a probe of whether the database takes writes. */
@Injectable()
export class Heartbeat {
  private beating: Promise<void> | null = null;
  private lastStored = -Infinity;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly engine: ReplyEngine,
  ) {}

  /** Milliseconds since the last beat that was stored. */
  get silentMs(): number {
    return performance.now() - this.lastStored;
  }

  /** At most one write is under way, however many ask. @throws where the database does not take it */
  beat(): Promise<void> {
    this.beating ??= this.write().finally(() => (this.beating = null));
    return this.beating;
  }

  private async write(): Promise<void> {
    const nodes = this.database.getRepository(Node);
    const { nodeId: id } = this.engine;
    const { affected } = await nodes.increment({ id }, 'beat', 1);
    if (affected === 0) await nodes.insert({ id, beat: 0 });
    this.lastStored = performance.now();
  }
}
