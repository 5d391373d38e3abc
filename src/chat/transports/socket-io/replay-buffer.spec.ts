import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ParleyEvent } from '../../../events/parley-event.js';
import { ReplayBuffer } from './replay-buffer.js';

describe('ReplayBuffer', () => {
  let recent: ReplayBuffer;

  beforeEach(() => {
    jest.useFakeTimers();
    recent = new ReplayBuffer(60_000);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const event = (text = '') => new ParleyEvent('conversation.updated', { text });
  const since = (offset: string) => recent.since(offset)?.map((missed) => missed.offset);

  it('returns the events after an offset', () => {
    const [a, b, c] = [recent.add(event()), recent.add(event()), recent.add(event())];

    expect([since(a), since(b), since(c)]).toEqual([[b, c], [c], []]);
  });

  it('returns null for an offset of another buffer or a malformed offset', () => {
    recent.add(event());
    const [name] = recent.add(event()).split('.');
    const other = new ReplayBuffer(60_000).add(event());

    for (const offset of [other, '', name!, `${name}.3`, `${name}.x`, `${name}.-1`]) {
      expect(recent.since(offset)).toBeNull();
    }
  });

  it('keeps 1 MiB and returns null for offsets before that', () => {
    const first = recent.add(event());
    const second = recent.add(event());
    for (let n = 0; n < 10; n++) recent.add(event('x'.repeat(100_000)));
    expect(since(second)).toHaveLength(10);

    recent.add(event('x'.repeat(100_000)));

    expect([since(first), since(second)]).toEqual([undefined, undefined]);
    recent.add(event('x'.repeat(2_000_000)));
    expect((recent as unknown as { bytes: number }).bytes).toBe(0);
  });

  it('drops events older than the maximum age', () => {
    const old = recent.add(event());
    jest.advanceTimersByTime(50_000);
    const young = recent.add(event());
    jest.advanceTimersByTime(50_000);
    recent.dropOld();

    expect(since(old)).toEqual([young]);
    jest.advanceTimersByTime(50_000);
    recent.dropOld();
    expect(since(old)).toBeUndefined();
    expect(since(young)).toEqual([]);
  });
});
