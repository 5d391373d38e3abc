import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { KnownAddress } from '../../src/auth/sessions/known-address.entity.js';
import { RefreshToken } from '../../src/auth/sessions/refresh-token.entity.js';
import { hashToken } from '../../src/encryption/random-token.js';
import { ExpiryPurgeService } from '../../src/auth/tokens/expiry-purge.service.js';
import { StreamTicket } from '../../src/auth/tokens/stream-ticket.entity.js';
import { startTestApp, type TestApp } from '../support/app/app.js';
import type { Tokens } from '../support/app/user.js';
import { until } from '../support/infrastructure/until.js';

let t: TestApp;
beforeAll(async () => {
  t = await startTestApp();
});
afterAll(() => t?.stop());

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

describe('the hourly purge', () => {
  it('deletes the refresh tokens of a session in use a week after they expired', async () => {
    const ada = await t.user().create();
    const tokens = [ada.tokens.refresh_token];
    for (let i = 0; i < 2; i++) {
      const { body } = await t.http.post<Tokens>('/auth/refresh', { refresh_token: tokens.at(-1)! });
      tokens.push(body.refresh_token);
    }
    const [first, second, newest] = tokens.map(hashToken) as [string, string, string];
    await t.manager.update(RefreshToken, { tokenHash: first }, { expiresAt: daysAgo(8) });
    await t.manager.update(RefreshToken, { tokenHash: second }, { expiresAt: daysAgo(6) });

    await t.app.get(ExpiryPurgeService).run();

    const kept = await Promise.all(
      [first, second, newest].map((tokenHash) => t.manager.existsBy(RefreshToken, { tokenHash })),
    );
    expect(kept).toEqual([false, true, true]);
    expect((await ada.get('/auth/me')).status).toBe(200);
  });

  it('also runs at each start: some nodes are restarted more often', async () => {
    const ada = await t.user().create();
    await ada.post('/auth/stream-ticket');
    await t.manager.updateAll(StreamTicket, { expiresAt: new Date(Date.now() - 1000) });

    await t.restart();

    await until(async () => (await t.manager.count(StreamTicket)) === 0);
  });

  it('deletes stream tickets that have expired', async () => {
    const ada = await t.user().create();
    await ada.post('/auth/stream-ticket');
    await t.manager.updateAll(StreamTicket, { expiresAt: new Date(Date.now() - 1000) });
    await ada.post('/auth/stream-ticket');

    await t.app.get(ExpiryPurgeService).run();

    expect(await t.manager.count(StreamTicket)).toBe(1);
  });

  it('deletes the addresses that a user last logged in from more than 90 days ago', async () => {
    const ada = await t.user().create();
    const known = (address: string, days: number) => ({
      userId: ada.id,
      address,
      lastLoginAt: daysAgo(days),
    });
    await t.manager.insert(KnownAddress, [known('198.51.100.1', 91), known('198.51.100.2', 89)]);

    await t.app.get(ExpiryPurgeService).run();

    const kept = await t.manager.findBy(KnownAddress, { userId: ada.id });
    expect(kept.map(({ address }) => address).sort()).toEqual(['127.0.0.1', '198.51.100.2']);
  });

  it('deletes audit events after 365 days', async () => {
    const event = {
      action: 'login.failed',
      userId: null,
      targetUserId: null,
      sessionId: null,
      details: null,
    };
    const address = '203.0.113.7';
    const ages = [366, 364];
    await t.manager.insert(
      AuditEvent,
      ages.map((days) => ({ ...event, address, at: daysAgo(days) })),
    );

    await t.app.get(ExpiryPurgeService).run();

    const kept = await t.manager.findBy(AuditEvent, { address });
    expect(kept.map(({ at }) => Math.round((Date.now() - at.getTime()) / 86_400_000))).toEqual([364]);
  });
});
