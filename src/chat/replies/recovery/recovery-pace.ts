import { Injectable } from '@nestjs/common';

/** Intervals of heartbeats and recovery; replaced in tests. */
@Injectable()
export class RecoveryPace {
  readonly beatIntervalMs: number = 1000;
  /** A node without a heartbeat for this long is dead. With the first beats, recovery takes less than 15 s. */
  readonly leaseMs: number = 8000;
}
