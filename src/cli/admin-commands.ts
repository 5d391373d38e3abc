import { MoreThan } from 'typeorm';
import type { DataSource } from 'typeorm';
import type { AuditLog } from '../audit/audit-log.js';
import { issueMailToken } from '../auth/mails/mail-tokens.js';
import type { Roles } from '../auth/roles/roles.service.js';
import type { UserControlService } from '../auth/users/user-control.service.js';
import { User } from '../auth/users/user.entity.js';
import { transaction } from '../database/retry.js';
import type { Settings } from '../env/settings.js';
import type { CommandName } from './admin-arguments.js';

export interface AdminTools {
  dataSource: DataSource;
  settings: Settings;
  roles: Roles;
  control: UserControlService;
  audit: AuditLog;
}

/** Acts on a user and returns the lines to print. */
type Command = (tools: AdminTools, user: User) => Promise<string>;

const PAGE_SIZE = 500;

const COMMANDS: Record<CommandName, Command> = {
  grant: async ({ control }, user) => {
    await control.setRole(user.id, 'admin');
    return `${user.email} is an administrator now.`;
  },
  revoke: async ({ control, roles }, user) => {
    await control.setRole(user.id, 'user');
    const stays = roles.of({ ...user, role: 'user' }) === 'admin';
    return `${user.email} ${stays ? 'stays an administrator by ADMIN_EMAILS' : 'is no administrator any more'}.`;
  },
  disable: async ({ control }, user) => {
    await control.disable(user.id);
    return `${user.email} is disabled and signed out.`;
  },
  enable: async ({ control }, user) => {
    await control.enable(user.id);
    return `${user.email} is enabled.`;
  },
  'end-sessions': async ({ control }, user) => {
    const count = await control.endSessions(user.id);
    return `Ended ${count} ${count === 1 ? 'session' : 'sessions'} of ${user.email}.`;
  },
  'reset-link': async ({ dataSource, settings }, user) => {
    const token = await transaction(dataSource, (manager) =>
      issueMailToken(manager, user, { purpose: 'reset', email: null }),
    );
    if (token === null) throw new Error('The account was changed meanwhile. Try again.');
    return `${settings.linkBaseUrl}/reset-password#token=${token}`;
  },
};

/** Runs a command on a user and audits it. */
export async function runCommand(tools: AdminTools, name: CommandName, user: User): Promise<string> {
  const output = await COMMANDS[name](tools, user);
  const object = { targetUserId: user.id, details: { source: 'command line' } };
  tools.audit.record(`admin.user.${name.replace('-', '_')}`, {}, object);
  await tools.audit.flush();
  return output;
}

/** Yields a line a user, by id: administrators, or all users. */
export async function* listUsers({ dataSource, roles }: AdminTools, all: boolean): AsyncGenerator<string> {
  for (let after = 0; ;) {
    const users = await dataSource.manager.find(User, {
      where: { id: MoreThan(after) },
      order: { id: 'ASC' },
      take: PAGE_SIZE,
    });
    for (const user of users) {
      const role = roles.of(user);
      if (!all && role !== 'admin') continue;
      const state = user.disabledAt ? 'disabled' : 'enabled';
      yield [user.id, user.email ?? '-', user.username, role, state].join('\t');
    }
    if (users.length < PAGE_SIZE) return;
    after = users.at(-1)!.id;
  }
}
