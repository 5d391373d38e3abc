import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { constants } from 'node:os';
import type { Logger } from 'pino';
import { AppModule } from './app.module.js';
import { HttpAdapter } from './common/http-adapter.js';
import { createLogger, PinoLogger, prettyDestination } from './common/logging.js';
import { isDatabaseAway } from './common/problem.js';
import { configureApp } from './configure-app.js';
import type { Settings } from './env/settings.js';
import { releaseStartupMemory } from './startup-memory.js';
import { announce, withoutPassword } from './welcome.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** For all that follows the replies' grace: last writes, and clients and a database that may not answer. */
const AFTER_GRACE_S = 9;

/** Boots and listens, until a signal; exits with an explanation where that cannot be. */
export async function serve(settings: Settings): Promise<void> {
  const logger = await makeLogger(settings);
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
  app.enableShutdownHooks([...SIGNALS], { useProcessExit: true });
  limitShutdown(settings, logger);
  await app.listen(settings.port, settings.host);
  announce(settings, await app.getUrl(), logger);
  releaseStartupMemory();
}

/** The first signal has what runs end, within its time; the second is the operator's who does not want to wait. */
function limitShutdown({ shutdownGraceSeconds }: Settings, logger: Logger): void {
  let received = 0;
  const leave = (signal: (typeof SIGNALS)[number]) => {
    if (++received > 1) process.exit(128 + constants.signals[signal]);
    logger.info({ signal }, 'Shutting down');
    setTimeout(
      () => {
        logger.warn('Leaving behind what did not end in time');
        process.exit(0);
      },
      (shutdownGraceSeconds + AFTER_GRACE_S) * 1000,
    ).unref();
  };
  for (const signal of SIGNALS) process.on(signal, leave);
}

/** What the operator can act on. Drivers name hosts and users in their messages, and no passwords. */
function explain(error: unknown, { databaseUrl, port }: Settings): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `Parley cannot start: port ${port} is taken. Choose another with PORT.`;
  if (isDatabaseAway(error)) {
    return `Parley cannot start: the database ${withoutPassword(databaseUrl)} cannot be reached (${code}).`;
  }
  return `Parley cannot start: ${message || code}`;
}
