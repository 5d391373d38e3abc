import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';
import { traceFields } from '../tracing/tracing.js';

type Fields = Record<string, unknown>;
type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** Logs JSON lines, to stdout by default. */
export function createLogger(level: string, destination: DestinationStream = pino.destination(1)): Logger {
  const options = {
    level,
    base: null,
    mixin: () => traceFields(),
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: withPlainErrors },
  };
  return pino(options, destination);
}

/** Human-readable lines; undefined if pino-pretty, a development dependency, is not installed. */
export async function prettyDestination(): Promise<DestinationStream | undefined> {
  try {
    const { default: pretty } = await import('pino-pretty');
    return pretty({
      ignore: 'context',
      messageFormat: '{if context}[{context}] {end}{msg}',
      singleLine: true,
      sync: true,
    });
  } catch (error) {
    if (!/MODULE_NOT_FOUND/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return undefined;
  }
}

function withPlainErrors(fields: Fields): Fields {
  if (!Object.values(fields).some((value) => value instanceof Error)) return fields;
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plainError(value)]));
}

/**
 * Keeps only the safe members of an error: TypeORM's errors have the statement's parameters, and HTTP clients' have
 * headers with keys.
 */
function plainError(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  const { code } = value as NodeJS.ErrnoException;
  return { name, message, code, stack, cause: cause && plainError(cause) };
}

/** Contexts of Nest's start-up messages, logged as debug. */
const CHATTER = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
  'WebSocketsController',
]);

/** Nest's logger on pino. An object as the first argument is merged into the line. */
export class PinoLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log = (message: unknown, ...rest: unknown[]) => this.write('info', message, rest);
  fatal = (message: unknown, ...rest: unknown[]) => this.write('fatal', message, rest);
  error = (message: unknown, ...rest: unknown[]) => this.write('error', message, rest);
  warn = (message: unknown, ...rest: unknown[]) => this.write('warn', message, rest);
  debug = (message: unknown, ...rest: unknown[]) => this.write('debug', message, rest);
  verbose = (message: unknown, ...rest: unknown[]) => this.write('trace', message, rest);

  /** @param rest Nest's convention: texts, objects and a stack in any order, then the context as the last text */
  private write(level: Level, message: unknown, rest: unknown[]): void {
    const stack = rest.find(isStack);
    const texts = rest.filter((part) => typeof part === 'string' && part !== stack) as string[];
    const context = texts.pop();
    const fields = Object.assign({ context, stack }, ...[message, ...rest].map(toFields));
    const words = typeof message === 'object' ? texts : [message, ...texts];
    this.logger[context && CHATTER.has(context) && level === 'info' ? 'debug' : level](
      fields,
      words.join(' '),
    );
  }
}

function toFields(part: unknown): Fields {
  if (part instanceof Error) return { error: part };
  return typeof part === 'object' && part !== null ? { ...part } : {};
}

const isStack = (part: unknown): part is string => typeof part === 'string' && /\n\s+at /.test(part);
