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
/** For the last writes after the replies' grace, and for clients and a database that may not respond. */
const AFTER_GRACE_S = 9;
/** Node's timers fire at once above this limit. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Boots and serves until a signal; exits with an explanation if the start fails. */
export async function serve(settings: Settings): Promise<void> {
  const logger = await makeLogger(settings);
  captureConsole(logger);
  process.on('uncaughtException', (error) => {
    // Node's own report shows all members of an error, such as a statement's parameters.
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
  shutDownOnSignal(app, settings, logger);
  await app.listen(settings.port, settings.host);
  announce(settings, await app.getUrl(), logger);
}

/**
 * The first signal starts a graceful shutdown; a second one exits at once, except SIGHUP, which terminals and systemd
 * send after another signal.
 */
function shutDownOnSignal(app: NestExpressApplication, settings: Settings, logger: Logger): void {
  let shuttingDown = false;
  const receive = (signal: (typeof SIGNALS)[number]) => {
    if (!shuttingDown) void shutDown(app, settings, logger.child({ signal }));
    else if (signal !== 'SIGHUP') process.exit(128 + constants.signals[signal]);
    shuttingDown = true;
  };
  for (const signal of SIGNALS) process.on(signal, receive);
}

async function shutDown(app: NestExpressApplication, settings: Settings, logger: Logger): Promise<void> {
  const { shutdownDelaySeconds, shutdownGraceSeconds } = settings;
  const seconds = shutdownDelaySeconds + shutdownGraceSeconds + AFTER_GRACE_S;
  logger.info('Shutting down');
  setTimeout(
    () => {
      logger.warn('Shutdown timed out, exiting');
      process.exit(0);
    },
    Math.min(seconds * 1000, MAX_TIMER_MS),
  ).unref();
  app.get(Draining).announce();
  await delay(shutdownDelaySeconds * 1000);
  await app.close().catch((error: unknown) => {
    logger.error({ error }, 'Shutdown failed');
    process.exit(1);
  });
  process.exit(0);
}

/** Explains a failed start. Drivers' messages contain hosts and users, but no passwords. */
function explain(error: unknown, { databaseUrl, metricsPort }: Settings): string {
  const { code, message, port } = error as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') {
    const variable = port === metricsPort ? 'METRICS_PORT' : 'PORT';
    return `Parley cannot start: port ${port} is taken. Choose another with ${variable}.`;
  }
  if (isDatabaseUnavailable(error)) {
    return `Parley cannot start: the database ${withoutPassword(databaseUrl)} cannot be reached or used: ${message || code}.`;
  }
  return `Parley cannot start: ${message || code}`;
}
