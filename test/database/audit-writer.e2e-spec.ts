/** Audit events while the database cannot store them, and at shutdown. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { AuditEvent } from '../../src/audit/audit-event.entity.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { AuditWriter } from '../../src/audit/audit-writer.js';
import { startTestApp } from '../support/app/app.js';
import { ChatDatabase } from '../support/infrastructure/chat-database.js';
import { until } from '../support/infrastructure/until.js';

let database: ChatDatabase;
let writer: AuditWriter;
let audit: AuditLog;
jest.spyOn(Logger.prototype, 'log').mockImplementation(() => undefined);
const errors = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
const warnings = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);

beforeAll(async () => {
  database = await ChatDatabase.create();
});
beforeEach(() => {
  writer = new AuditWriter(database.dataSource);
  audit = new AuditLog(writer);
  jest.clearAllMocks();
});
afterEach(async () => {
  await writer.onApplicationShutdown();
  await database.dataSource.manager.clear(AuditEvent);
});
afterAll(() => database.drop());

const rename = (from: string, to: string) => database.dataSource.query(`ALTER TABLE ${from} RENAME TO ${to}`);
const takeAway = () => rename('audit_events', 'audit_events_away');
const bringBack = () => rename('audit_events_away', 'audit_events');

/** Records events of the users with these ids. */
function record(from: number, to: number): void {
  for (let userId = from; userId <= to; userId++) audit.record('login.failed', { userId });
}

async function storedUserIds(): Promise<number[]> {
  const events = await database.dataSource.manager.find(AuditEvent, { order: { id: 'ASC' } });
  return events.map(({ userId }) => userId!);
}

const idsBetween = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('while the database fails', () => {
  it('events wait, and are stored once and in order when it is back, without a call', async () => {
    await takeAway();
    const start = Date.now();
    record(1, 250);
    await audit.flush();
    record(251, 500);
    await audit.flush();
    await bringBack();

    await until(async () => (await storedUserIds()).length >= 500);
    expect(await storedUserIds()).toEqual(idsBetween(1, 500));
    const { at } = await database.dataSource.manager.findOneByOrFail(AuditEvent, { userId: 1 });
    expect(at.getTime() - start).toBeLessThan(500);
    const failed = warnings.mock.calls.filter(
      ([, text]) => text === 'Failed to store audit events, retrying',
    );
    expect(failed).toHaveLength(1);
  });

  it('the newest 10,000 events wait', async () => {
    await takeAway();
    record(1, 1);
    await audit.flush();
    record(2, 10_000);
    expect(errors).not.toHaveBeenCalled();
    record(10_001, 10_003);
    await bringBack();
    await audit.flush();

    expect(await storedUserIds()).toEqual(idsBetween(4, 10_003));
    expect(errors.mock.calls).toEqual([['Audit events are in the log only: too many wait for the database']]);
  });
});

describe('at shutdown', () => {
  it('waiting events are stored', async () => {
    await takeAway();
    record(1, 450);
    await audit.flush();
    await bringBack();

    await writer.onApplicationShutdown();
    expect(await storedUserIds()).toEqual(idsBetween(1, 450));
    expect(errors).not.toHaveBeenCalled();
  });

  it('events that the database does not take are counted in the log', async () => {
    await takeAway();
    record(1, 3);
    await writer.onApplicationShutdown();
    await bringBack();

    expect(errors.mock.calls).toEqual([['3 audit events are in the log only: the database failed']]);
  });

  it('of the application, events are stored before the database is closed', async () => {
    const t = await startTestApp();
    try {
      const log = t.app.get(AuditLog);
      const address = '203.0.113.7';
      for (let n = 0; n < 1000; n++) log.record('login.failed', { address });
      await t.restart();

      expect(await t.manager.countBy(AuditEvent, { address })).toBe(1000);
    } finally {
      await t.stop();
    }
  });
});
