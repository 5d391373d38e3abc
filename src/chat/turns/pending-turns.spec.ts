import { describe, expect, it } from '@jest/globals';
import { PendingTurns } from './pending-turns.js';

const turn = () => {
  let settle = { resolve: (_: string) => {}, reject: (_: Error) => {} };
  const result = new Promise<string>((resolve, reject) => (settle = { resolve, reject }));
  return { result, ...settle };
};
const isSettled = (promise: Promise<unknown>) =>
  Promise.race([promise.then(() => true), new Promise((resolve) => setImmediate(resolve, false))]);

describe('PendingTurns', () => {
  it('returns what the turn returns', async () => {
    const pending = new PendingTurns();

    expect(await pending.track(1, null, async () => 'stored')).toBe('stored');
    await expect(pending.track(1, null, () => Promise.reject(new Error('No.')))).rejects.toThrow('No.');
  });

  it('waits for all turns of a conversation, whether they succeed or fail', async () => {
    const pending = new PendingTurns();
    const [one, two, other] = [turn(), turn(), turn()];
    const tracked = [one, two].map(({ result }) => pending.track(1, null, () => result));
    void pending.track(2, null, () => other.result);
    const settled = pending.settled(1);

    one.resolve('stored');
    expect(await isSettled(settled)).toBe(false);
    two.reject(new Error('No.'));
    await expect(tracked[1]).rejects.toThrow('No.');

    expect(await isSettled(settled)).toBe(true);
    expect(await isSettled(pending.settled(1))).toBe(true);
    expect(await isSettled(pending.settled(2))).toBe(false);
  });

  it('finds a turn with the same client_message_id in the conversation while it is pending', async () => {
    const pending = new PendingTurns();
    const [one, two] = [turn(), turn()];
    const tracked = pending.track(1, 'a', () => one.result);
    void pending.track(1, 'b', () => two.result);
    void pending.track(1, null, () => two.result);

    expect(pending.findRepeated(1, 'a')).toBe(one.result);
    expect(pending.findRepeated(1, 'b')).toBe(two.result);
    expect(pending.findRepeated(1, 'c')).toBeUndefined();
    expect(pending.findRepeated(1, null)).toBeUndefined();
    expect(pending.findRepeated(2, 'a')).toBeUndefined();
    one.resolve('stored');
    await tracked;
    expect(pending.findRepeated(1, 'a')).toBeUndefined();
    expect(pending.findRepeated(1, 'b')).toBe(two.result);
  });

  it('forgets a conversation whose turns have settled', async () => {
    const pending = new PendingTurns();
    await pending.track(1, 'a', async () => 'stored');

    expect((pending as unknown as { pending: Map<number, unknown> }).pending.size).toBe(0);
  });
});
