import { Injectable } from '@nestjs/common';

/** Sizes of segments; tests provide smaller ones. */
@Injectable()
export class SegmentSizes {
  /** Messages after the newest segment before they become a segment of their own. */
  readonly minMessages: number = 8192;
  readonly maxMessages: number = 32_768;
  /** Age after which no message with a lower id can still be committed: covers clock skew and long transactions. */
  readonly settledMs: number = 10 * 60_000;
}
