import { AuditEvent } from '../../../src/audit/audit-event.entity.js';
import { AuditLog } from '../../../src/audit/audit-log.js';
import type { TestApp } from './app.js';

/** @returns the actions recorded of a user, oldest first */
export async function auditActionsOf(t: TestApp, userId: number): Promise<string[]> {
  return (await auditEvents(t)).filter((event) => event.userId === userId).map(({ action }) => action);
}

/** Recorded of calls with an access token only. */
const WITH_SESSION =
  /^(login\.succeeded|logout|username\.|password\.changed|reauthentication\.|identity\.|session\.|totp\.(enabled|removed)|account\.|config\.|refresh\.|admin\.)/;

/**
 * Reads the trail of calls over HTTP: each event has an address and, by its action, a session or a user.
 * @returns what events lack
 */
export async function gapsInAudit(t: TestApp): Promise<string[]> {
  const events = await auditEvents(t);
  if (events.length === 0) return ['events'];
  const gaps = events.flatMap(({ action, userId, sessionId, address }) => [
    ...(address === null ? [`${action}: address`] : []),
    ...(sessionId === null && WITH_SESSION.test(action) ? [`${action}: session`] : []),
    ...(userId === null && WITH_SESSION.test(action) ? [`${action}: user`] : []),
  ]);
  return [...new Set(gaps)];
}

async function auditEvents(t: TestApp): Promise<AuditEvent[]> {
  await t.app.get(AuditLog).flush();
  return t.manager.find(AuditEvent, { order: { id: 'ASC' } });
}
