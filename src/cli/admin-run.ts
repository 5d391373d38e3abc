import { Logger } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { AuditWriter } from '../audit/audit-writer.js';
import { Roles } from '../auth/roles/roles.service.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { findByEmail } from '../auth/users/find-by-email.js';
import { UserControlService } from '../auth/users/user-control.service.js';
import { createDataSource } from '../database/data-source.js';
import { Deployment } from '../database/deployment.entity.js';
import { loadSettings, readDotEnv, type Settings } from '../env/settings.js';
import { EventHub } from '../events/event-hub.js';
import { RedisRelay } from '../events/redis-relay.js';
import { SCHEMA } from '../schema.js';
import type { Arguments } from './admin-arguments.js';
import { type AdminTools, listUsers, runCommand } from './admin-commands.js';

const REDIS_WAIT_MS = 3000;

/** @throws {Error} whose message is shown to the operator */
export async function run(parsed: Arguments): Promise<void> {
  readDotEnv();
  await withTools(loadSettings(process.env), (tools) => perform(tools, parsed));
}

async function perform(tools: AdminTools, parsed: Arguments): Promise<void> {
  if (parsed.command === 'list') {
    for await (const line of listUsers(tools, parsed.all)) console.log(line);
    return;
  }
  const { command, email } = parsed;
  const user = await findByEmail(tools.dataSource.manager, email);
  if (!user) throw new Error(`There is no user with the email address ${email}.`);
  console.log(await runCommand(tools, command, user));
}

async function withTools(settings: Settings, work: (tools: AdminTools) => Promise<void>): Promise<void> {
  Logger.overrideLogger(false);
  const dataSource = await createDataSource(settings.databaseUrl, SCHEMA).initialize();
  try {
    const events = new EventHub();
    const relay = await connectRelay(settings, dataSource, events);
    const audit = new AuditLog(new AuditWriter(dataSource));
    const roles = new Roles(settings);
    const control = new UserControlService(
      dataSource,
      roles,
      new SessionsService(dataSource, events, audit),
      events,
    );
    await work({ dataSource, settings, roles, control, audit }).finally(() => relay?.finish());
  } finally {
    await dataSource.destroy();
  }
}

/** Reports to the running nodes over Redis. Without it, they notice changes within 5 s. */
async function connectRelay({ redisUrl }: Settings, dataSource: DataSource, events: EventHub) {
  if (!redisUrl) return null;
  const { id } = await dataSource.getRepository(Deployment).findOneOrFail({ where: {} });
  const relay = new RedisRelay(redisUrl, id, { receive: () => undefined, missed: () => undefined });
  void relay.connect();
  const end = Date.now() + REDIS_WAIT_MS;
  while (!relay.isConnected && Date.now() < end) await delay(20);
  events.connect(relay);
  return relay;
}
