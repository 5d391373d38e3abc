import { format } from 'node:util';
import type { Logger } from 'pino';

/** `console.table` and the like write through these. */
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

/** Has the log written what packages (mysql2, for one) write to the console, and Node's own warnings, a line each. */
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

/** Objects may hold anything, such as a statement's parameters, and stay out. */
function textOf(parts: unknown[]): string {
  const plain = parts.map((part) => {
    if (part instanceof Error) return part.message;
    return typeof part === 'object' && part !== null ? '(object)' : part;
  });
  return format(...plain).slice(0, MAX_LENGTH);
}
