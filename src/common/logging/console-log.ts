import { format } from 'node:util';
import type { Logger } from 'pino';

/** Console methods and their log levels; others, such as `console.table`, call these. */
const LEVELS = {
  debug: 'debug',
  log: 'info',
  info: 'info',
  dir: 'info',
  dirxml: 'info',
  table: 'info',
  warn: 'warn',
  error: 'error',
  trace: 'warn',
} as const;
const MAX_LENGTH = 2000;

/** Redirects the console, used by packages such as mysql2, and Node's warnings to the log. */
export function captureConsole(logger: Logger): void {
  for (const [method, level] of Object.entries(LEVELS)) {
    const write = (...parts: unknown[]) => {
      const error = parts.find((part) => part instanceof Error);
      logger[level]({ context: 'Console', error }, textOf(parts));
    };
    Object.assign(console, { [method]: write });
  }
  process.removeAllListeners('warning');
  process.on('warning', (error) => logger.warn({ context: 'Node', error }, 'Warning'));
}

/** Omits objects, which may contain anything, such as a statement's parameters. */
function textOf(parts: unknown[]): string {
  const plain = parts.map((part) => {
    if (part instanceof Error) return part.message;
    return typeof part === 'object' && part !== null ? '(object)' : part;
  });
  return format(...plain).slice(0, MAX_LENGTH);
}
