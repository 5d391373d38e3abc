import { AuditEvent } from '../../../src/audit/audit-event.entity.js';
import { AuditLog } from '../../../src/audit/audit-log.js';
import type { TestApp } from './app.js';

/** @returns the actions recorded of a user, oldest first */
export async function auditActionsOf(t: TestApp, userId: number): Promise<string[]> {
  await t.app.get(AuditLog).flush();
  const events = await t.manager.find(AuditEvent, { where: { userId }, order: { id: 'ASC' } });
  return events.map(({ action }) => action);
}
