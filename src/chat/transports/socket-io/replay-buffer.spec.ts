import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ParleyEvent } from '../../../events/parley-event.js';
import { ReplayBuffer } from './replay-buffer.js';

describe('RecentEvents', () => {
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

  it('tells what came after each', () => {
    const [a, b, c] = [recent.add(event()), recent.add(event()), recent.add(event())];

    expect([since(a), since(b), since(c)]).toEqual([[b, c], [c], []]);
  });

  it('knows no places of others', () => {
    recent.add(event());
    const [name] = recent.add(event()).split('.');
    const other = new ReplayBuffer(60_000).add(event());

    for (const offset of [other, '', name!, `${name}.3`, `${name}.x`, `${name}.-1`]) {
      expect(recent.since(offset)).toBeNull();
    }
  });

  it('keeps 1 MiB, and says so where more was missed', () => {
    const first = recent.add(event());
    const second = recent.add(event());
    for (let n = 0; n < 10; n++) recent.add(event('x'.repeat(100_000)));
    expect(since(second)).toHaveLength(10);

    recent.add(event('x'.repeat(100_000)));

    expect([since(first), since(second)]).toEqual([undefined, undefined]);
    recent.add(event('x'.repeat(2_000_000)));
    expect((recent as unknown as { bytes: number }).bytes).toBe(0);
  });

  it('keeps what is young', () => {
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
