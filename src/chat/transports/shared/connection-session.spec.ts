import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AuthService } from '../../../auth/auth.service.js';
import { revokedToken } from '../../../auth/auth.errors.js';
import type { AccessClaims, Identity } from '../../../auth/identity.js';
import { EventHub } from '../../../events/event-hub.js';
import { type EventListener, ParleyEvent } from '../../../events/parley-event.js';
import { Subscription } from '../../streams/subscription.js';
import { ConnectionSession } from './connection-session.js';

const HOUR = 3_600_000;
const claims = (left: number, sessionId = 1): AccessClaims => ({
  userId: 7,
  sessionId,
  expiresAt: Date.now() + left,
});

describe('ConnectionSession', () => {
  const hub = new EventHub();
  const subscribe = (userId: number, listener: EventListener) => new Subscription(hub, userId, listener);
  const identify = jest.fn<AuthService['identify']>();
  const auth = { identify } as unknown as AuthService;
  const heard: string[] = [];
  let session: ConnectionSession;

  beforeEach(() => {
    jest.useFakeTimers();
    identify.mockReset().mockResolvedValue({} as Identity);
    heard.length = 0;
    session = begin(claims(HOUR));
  });
  afterEach(() => {
    session.close();
    jest.useRealTimers();
  });

  function begin(of: AccessClaims): ConnectionSession {
    return new ConnectionSession({ subscribe }, auth, of, {
      expiring: (expiresAt) => heard.push(`expiring in ${expiresAt.getTime() - Date.now()}`),
      ended: (reason) => heard.push(reason),
      resume: () => heard.push('resume'),
    });
  }
  const revoke = (id: number) => hub.publish(7, new ParleyEvent('session.revoked', { session_id: id }));

  it('tells 60 s before the token runs out, and ends when it does', () => {
    jest.advanceTimersByTime(HOUR - 60_001);
    expect(heard).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(heard).toEqual(['expiring in 60000']);
    jest.advanceTimersByTime(59_999);
    expect(heard).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(heard.slice(1)).toEqual(['token_expired']);
  });

  it('goes by the newer token once there is one, and tells again', () => {
    jest.advanceTimersByTime(HOUR - 60_000);
    session.renew(claims(HOUR));

    jest.advanceTimersByTime(HOUR - 1);
    expect(heard).toEqual(['expiring in 60000', 'expiring in 60000']);
    jest.advanceTimersByTime(1);
    expect(heard.at(-1)).toBe('token_expired');
  });

  it('ends with its own session alone, at once and once', () => {
    revoke(2);
    expect(heard).toEqual([]);
    revoke(1);
    revoke(1);
    jest.advanceTimersByTime(2 * HOUR);

    expect(heard).toEqual(['token_revoked']);
  });

  it('follows the session of the newer token', () => {
    session.renew(claims(HOUR, 2));

    revoke(1);
    expect(heard).toEqual([]);
    revoke(2);
    expect(heard).toEqual(['token_revoked']);
  });

  it('ends with the account', () => {
    hub.publish(7, new ParleyEvent('account.deleted', {}));

    expect(heard).toEqual(['token_revoked']);
  });

  it('ends where its session had ended before it began', async () => {
    identify.mockRejectedValue(revokedToken());
    const late = begin(claims(HOUR, 3));
    await jest.advanceTimersByTimeAsync(0);

    expect(heard).toEqual(['token_revoked']);
    late.close();
  });

  it('goes on where the database is away', async () => {
    identify.mockRejectedValue(new Error('connect ECONNREFUSED'));
    const late = begin(claims(HOUR, 3));
    await jest.advanceTimersByTimeAsync(0);

    expect(heard).toEqual([]);
    late.close();
  });

  it('hears nothing once it is closed, nor can it be renewed', async () => {
    session.close();
    session.renew(claims(HOUR));

    revoke(1);
    hub.publish(7, new ParleyEvent('connection.resume', {}));
    await jest.advanceTimersByTimeAsync(2 * HOUR);

    expect(heard).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
    expect((hub as unknown as { listeners: Map<number, unknown> }).listeners.size).toBe(0);
  });
});
