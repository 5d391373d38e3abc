import type { Segment } from './segment-store.js';

/** Message ids from `start` to below `end`. */
export interface IdRange {
  start: number;
  end: number;
}

/** Ids of adjacent segments, newest first, or of none. */
export interface SegmentRange extends IdRange {
  segments: Segment[];
}

/** Message ids without a segment, both inclusive. */
export interface Gap {
  first: number;
  /** Null after the newest segment, where messages are still added. */
  last: number | null;
}

/** Bounds the parameters of one statement. */
const MAX_SEGMENTS_PER_RANGE = 16;

/** Covers all ids below `end`, highest first: ranges of twice as many segments each time, and the gaps between them. */
export function* rangesOf(segments: Segment[], end: number): Generator<SegmentRange> {
  const left = segments.filter(({ ready, firstMessageId }) => ready && firstMessageId < end);
  for (let max = 1; left.length > 0; max = Math.min(2 * max, MAX_SEGMENTS_PER_RANGE)) {
    const adjacent = takeAdjacent(left, max);
    const start = adjacent.at(-1)!.firstMessageId;
    const afterNewest = adjacent[0]!.lastMessageId + 1;
    if (afterNewest < end) yield { start: afterNewest, end, segments: [] };
    yield { start, end: Math.min(end, afterNewest), segments: adjacent };
    end = start;
  }
  if (end > 0) yield { start: 0, end, segments: [] };
}

/** Removes the newest segment and up to `max - 1` segments directly before it. */
function takeAdjacent(segments: Segment[], max: number): Segment[] {
  const taken = [segments.pop()!];
  while (taken.length < max && segments.at(-1)?.lastMessageId === taken.at(-1)!.firstMessageId - 1) {
    taken.push(segments.pop()!);
  }
  return taken;
}

/** Gaps from the oldest to the newest; the last one is open. */
export function* gapsBetween(segments: Segment[]): Generator<Gap> {
  let first = 0;
  for (const { firstMessageId, lastMessageId } of segments) {
    if (firstMessageId > first) yield { first, last: firstMessageId - 1 };
    first = lastMessageId + 1;
  }
  yield { first, last: null };
}

/** Whether ids up to the newest segment lack a usable one: after a deletion, a crash or a change of the index version. */
export function hasGaps(segments: Segment[]): boolean {
  return (
    segments.some(({ ready, tombstoned }) => !ready || tombstoned) ||
    [...gapsBetween(segments)].some(({ last }) => last !== null)
  );
}
