/** `npm run admin -- <command> <email>`. Exits with 1 if the command fails, with 2 if it is wrong. */
import { Logger } from '@nestjs/common';
import { parseArgs } from 'node:util';
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
import { type AdminTools, COMMANDS, listUsers, runCommand } from './admin-commands.js';

const USAGE = `Usage: npm run admin -- <command> <email>

  grant <email>         make the user an administrator
  revoke <email>        take the role away again
  disable <email>       sign the user out and refuse logins
  enable <email>        allow logins again
  end-sessions <email>  sign the user out everywhere
  reset-link <email>    print a link that sets a new password, good for 30 minutes
  list [--all]          list administrators, or all users: id, email, username, role, state
`;

const REDIS_WAIT_MS = 3000;

interface Arguments {
  command: string;
  email: string;
  all: boolean;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const parsed = parse();
  if (!parsed) {
    console.error(USAGE);
    return 2;
  }
  try {
    readDotEnv();
    return await withTools(loadSettings(process.env), (tools) => run(tools, parsed));
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

/** @returns null for wrong arguments */
function parse(): Arguments | null {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { all: { type: 'boolean' } },
    });
    const [command = '', email = ''] = positionals;
    const isList = command === 'list';
    const isRight = isList || (Object.hasOwn(COMMANDS, command) && values.all === undefined);
    if (!isRight || positionals.length !== (isList ? 1 : 2)) return null;
    return { command, email: email.trim().toLowerCase(), all: values.all ?? false };
  } catch {
    return null;
  }
}

async function run(tools: AdminTools, { command, email, all }: Arguments): Promise<number> {
  if (command === 'list') {
    for await (const line of listUsers(tools, all)) console.log(line);
    return 0;
  }
  const user = await findByEmail(tools.dataSource.manager, email);
  if (!user) throw new Error(`There is no user with the email address ${email}.`);
  console.log(await runCommand(tools, command, user));
  return 0;
}

async function withTools(settings: Settings, work: (tools: AdminTools) => Promise<number>): Promise<number> {
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
    return await work({ dataSource, settings, roles, control, audit }).finally(() => relay?.finish());
  } finally {
    await dataSource.destroy();
  }
}

/** Reports to the running nodes over Redis. Without it, they notice changes within 5 s. */
async function connectRelay({ redisUrl }: Settings, dataSource: DataSource, events: EventHub) {
  if (!redisUrl) return null;
  const { id } = await dataSource.getRepository(Deployment).findOneOrFail({ where: {} });
  const relay = new RedisRelay(redisUrl, id, { receive: () => undefined, missed: () => undefined });
  relay.connect();
  const end = Date.now() + REDIS_WAIT_MS;
  while (!relay.isConnected && Date.now() < end) await delay(20);
  events.connect(relay);
  return relay;
}
