import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AuthService } from '../../../auth/guard/auth.service.js';
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
  const calls: string[] = [];
  let session: ConnectionSession;

  beforeEach(() => {
    jest.useFakeTimers();
    identify.mockReset().mockResolvedValue({} as Identity);
    calls.length = 0;
    session = begin(claims(HOUR));
  });
  afterEach(() => {
    session.close();
    jest.useRealTimers();
  });

  function begin(of: AccessClaims): ConnectionSession {
    return new ConnectionSession({ subscribe }, auth, of, {
      expiring: (expiresAt) => calls.push(`expiring in ${expiresAt.getTime() - Date.now()}`),
      ended: (reason) => calls.push(reason),
      resume: () => calls.push('resume'),
    });
  }
  const revoke = (id: number) => hub.publish(7, new ParleyEvent('session.revoked', { session_id: id }));

  it('warns 60 s before the token expires and ends at the expiry', () => {
    jest.advanceTimersByTime(HOUR - 60_001);
    expect(calls).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(calls).toEqual(['expiring in 60000']);
    jest.advanceTimersByTime(59_999);
    expect(calls).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(calls.slice(1)).toEqual(['token_expired']);
  });

  it('uses the expiry of the renewed token and warns again', () => {
    jest.advanceTimersByTime(HOUR - 60_000);
    session.renew(claims(HOUR));

    jest.advanceTimersByTime(HOUR - 1);
    expect(calls).toEqual(['expiring in 60000', 'expiring in 60000']);
    jest.advanceTimersByTime(1);
    expect(calls.at(-1)).toBe('token_expired');
  });

  it('ends once when its own session is revoked, not when another is', () => {
    revoke(2);
    expect(calls).toEqual([]);
    revoke(1);
    revoke(1);
    jest.advanceTimersByTime(2 * HOUR);

    expect(calls).toEqual(['token_revoked']);
  });

  it('ends with the session of the renewed token', () => {
    session.renew(claims(HOUR, 2));

    revoke(1);
    expect(calls).toEqual([]);
    revoke(2);
    expect(calls).toEqual(['token_revoked']);
  });

  it('ends when the account is deleted', () => {
    hub.publish(7, new ParleyEvent('account.deleted', {}));

    expect(calls).toEqual(['token_revoked']);
  });

  it('ends if its session was revoked before the connection opened', async () => {
    identify.mockRejectedValue(revokedToken());
    const late = begin(claims(HOUR, 3));
    await jest.advanceTimersByTimeAsync(0);

    expect(calls).toEqual(['token_revoked']);
    late.close();
  });

  it('continues while the database is unavailable', async () => {
    identify.mockRejectedValue(new Error('connect ECONNREFUSED'));
    const late = begin(claims(HOUR, 3));
    await jest.advanceTimersByTimeAsync(0);

    expect(calls).toEqual([]);
    late.close();
  });

  it('ignores events and renewals after it is closed', async () => {
    session.close();
    session.renew(claims(HOUR));

    revoke(1);
    hub.publish(7, new ParleyEvent('connection.resume', {}));
    await jest.advanceTimersByTimeAsync(2 * HOUR);

    expect(calls).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
    expect((hub as unknown as { listeners: Map<number, unknown> }).listeners.size).toBe(0);
  });
});
