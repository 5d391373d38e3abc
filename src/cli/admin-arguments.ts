import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run admin -- <command> <email>

  grant <email>         make the user an administrator
  revoke <email>        take the role away again
  disable <email>       sign the user out and refuse logins
  enable <email>        allow logins again
  end-sessions <email>  sign the user out everywhere
  reset-link <email>    print a link that sets a new password, good for 30 minutes
  list [--all]          list administrators, or all users: id, email, username, role, state
`;

const COMMANDS = ['grant', 'revoke', 'disable', 'enable', 'end-sessions', 'reset-link'] as const;
/** Acts on a user. */
export type CommandName = (typeof COMMANDS)[number];

export type Arguments = { command: 'list'; all: boolean } | { command: CommandName; email: string };

/** @returns null for wrong arguments */
export function parseArguments(): Arguments | null {
  try {
    const options = { all: { type: 'boolean' } } as const;
    const { positionals, values } = parseArgs({ allowPositionals: true, options });
    const [name, email, ...others] = positionals;
    if (name === 'list' && email === undefined) return { command: name, all: values.all ?? false };
    const command = COMMANDS.find((each) => each === name);
    if (!command || email === undefined || others.length > 0 || values.all !== undefined) return null;
    return { command, email: email.trim().toLowerCase() };
  } catch {
    return null;
  }
}
