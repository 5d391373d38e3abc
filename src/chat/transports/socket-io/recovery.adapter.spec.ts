import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Namespace } from 'socket.io';
import { RECOVERY_MS, RecoveryAdapter } from './recovery.adapter.js';

describe('RecoveryAdapter', () => {
  let adapter: RecoveryAdapter;

  beforeEach(() => {
    jest.useFakeTimers();
    adapter = new RecoveryAdapter({ server: { encoder: {} } } as unknown as Namespace);
    adapter.canReplay = () => true;
    persist('pid');
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const persist = (pid: string) =>
    adapter.persistSession({
      sid: 'sid',
      pid,
      rooms: ['sid'],
      data: { userId: 7, client: { openConversations: [3] }, release: () => undefined },
    });

  it('restores a session once, with its user and open conversations only', async () => {
    const restored = await adapter.restoreSession('pid', 'offset');

    expect(restored).toEqual({
      sid: 'sid',
      pid: 'pid',
      rooms: [],
      data: { userId: 7, opened: [3] },
      missedPackets: [],
    });
    expect(await adapter.restoreSession('pid', 'offset')).toBeNull();
  });

  it('restores no session that is unknown, expired or without replayable events', async () => {
    expect(await adapter.restoreSession('other', 'offset')).toBeNull();
    jest.advanceTimersByTime(RECOVERY_MS);
    expect(await adapter.restoreSession('pid', 'offset')).toBeNull();

    persist('again');
    adapter.canReplay = (userId, offset) => !(userId === 7 && offset === 'offset');
    expect(await adapter.restoreSession('again', 'offset')).toBeNull();
  });

  it('drops sessions older than the recovery time', () => {
    for (let n = 0; n < 100; n++) persist(`pid ${n}`);
    jest.advanceTimersByTime(RECOVERY_MS);
    persist('last');

    expect((adapter as unknown as { kept: Map<string, unknown> }).kept.size).toBe(1);
  });
});
