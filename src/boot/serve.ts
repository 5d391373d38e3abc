import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import { Draining } from '../common/lifecycle/draining.js';
import { HttpAdapter } from '../common/http/server/http-adapter.js';
import { captureConsole } from '../common/logging/console-log.js';
import { createLogger, PinoLogger, prettyDestination } from '../common/logging/logging.js';
import { isDatabaseUnavailable } from '../common/errors/database-errors.js';
import { configureApp } from '../configure-app.js';
import type { Settings } from '../env/settings.js';
import { announce, withoutPassword } from './welcome.js';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** For all that follows the replies' grace: last writes, and clients and a database that may not answer. */
const AFTER_GRACE_S = 9;
/** Node's timers fire at once when asked for more. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Boots and listens, until a signal; exits with an explanation where that cannot be. */
export async function serve(settings: Settings): Promise<void> {
  const logger = await makeLogger(settings);
  captureConsole(logger);
  process.on('uncaughtException', (error) => {
    // Node's own report would show all that an error carries, such as a statement's parameters.
    logger.fatal({ error }, 'Uncaught exception');
    process.exit(1);
  });
  await start(settings, logger).catch((error: unknown) => {
    process.stderr.write(`${explain(error, settings)}\n`);
    process.exit(1);
  });
}

async function makeLogger({ nodeEnv, logLevel }: Settings): Promise<Logger> {
  const pretty = nodeEnv === 'development' && process.stdout.isTTY;
  return createLogger(logLevel, pretty ? await prettyDestination() : undefined);
}

async function start(settings: Settings, logger: Logger): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, new HttpAdapter(), {
    logger: new PinoLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  configureApp(app, settings, logger);
  leaveOnSignal(app, settings, logger);
  await app.listen(settings.port, settings.host);
  announce(settings, await app.getUrl(), logger);
}

/**
 * The first signal has what runs end, within its time. The second is the operator's who does not want to wait; a hang-up
 * is none, as terminals and systemd send it after another signal.
 */
function leaveOnSignal(app: NestExpressApplication, settings: Settings, logger: Logger): void {
  let leaving = false;
  const receive = (signal: (typeof SIGNALS)[number]) => {
    if (!leaving) void leave(app, settings, logger.child({ signal }));
    else if (signal !== 'SIGHUP') process.exit(128 + constants.signals[signal]);
    leaving = true;
  };
  for (const signal of SIGNALS) process.on(signal, receive);
}

async function leave(app: NestExpressApplication, settings: Settings, logger: Logger): Promise<void> {
  const { shutdownDelaySeconds, shutdownGraceSeconds } = settings;
  const seconds = shutdownDelaySeconds + shutdownGraceSeconds + AFTER_GRACE_S;
  logger.info('Shutting down');
  setTimeout(
    () => {
      logger.warn('Leaving behind what did not end in time');
      process.exit(0);
    },
    Math.min(seconds * 1000, MAX_TIMER_MS),
  ).unref();
  app.get(Draining).announce();
  await delay(shutdownDelaySeconds * 1000);
  await app.close().catch((error: unknown) => {
    logger.error({ error }, 'Shutting down failed');
    process.exit(1);
  });
  process.exit(0);
}

/** What the operator can act on. Drivers name hosts and users in their messages, and no passwords. */
function explain(error: unknown, { databaseUrl, port }: Settings): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `Parley cannot start: port ${port} is taken. Choose another with PORT.`;
  if (isDatabaseUnavailable(error)) {
    return `Parley cannot start: the database ${withoutPassword(databaseUrl)} cannot be reached or used: ${message || code}.`;
  }
  return `Parley cannot start: ${message || code}`;
}
