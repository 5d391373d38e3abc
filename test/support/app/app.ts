import type { Type } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DestinationStream } from 'pino';
import { DataSource, type EntityManager } from 'typeorm';
import { AppModule } from '../../../src/app.module.js';
import { PasswordService } from '../../../src/auth/passwords/password.service.js';
import { HttpAdapter } from '../../../src/common/http/server/http-adapter.js';
import { createLogger, PinoLogger } from '../../../src/common/logging/logging.js';
import { configureApp } from '../../../src/configure-app.js';
import { EventHub } from '../../../src/events/event-hub.js';
import type { ParleyEvent } from '../../../src/events/parley-event.js';
import { loadSettings, Settings } from '../../../src/env/settings.js';
import { createMigratedDatabase, type TestDatabase } from '../infrastructure/database.js';
import { HttpClient } from '../clients/http.js';
import { PlayedProvider } from '../provider/provider.js';
import { UserBuilder } from './user.js';
import { fernetKey, jwtSecret } from '../secrets.js';

export interface TestAppOptions {
  /** Environment variables that override those of the tests. */
  env?: Partial<Record<string, string>>;
  /** Destination of the log, one JSON line per write; nowhere by default unless DEBUG is set. */
  log?: DestinationStream;
  /** Hashes passwords at production's cost instead of a minimal one. */
  costlyHashes?: boolean;
  /** Nest providers to override, by token. */
  providers?: readonly (readonly [token: symbol | Type, value: unknown])[];
}

/** Argon2id parameters of minimal cost. */
const CHEAP = { memoryCost: 256, timeCost: 2, parallelism: 1 };

/** Starts the real application on a free port with its own database. Stop it in `afterAll`. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
  const database = await createMigratedDatabase(folder);
  const t = new TestApp(options, folder, database, await PlayedProvider.start());
  try {
    await t.start();
  } catch (error) {
    await t.stop();
    throw error;
  }
  return t;
}

class TestApp {
  app!: NestExpressApplication;
  readonly settings: Settings;
  /** Without a token. */
  readonly http = new HttpClient(() => this.url);
  private readonly connections = new Set<{ close(): Promise<void> }>();

  constructor(
    private readonly options: TestAppOptions,
    private readonly folder: string,
    private readonly database: TestDatabase,
    readonly provider: PlayedProvider,
  ) {
    this.settings = loadSettings({
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: folder,
      DATABASE_URL: database.url,
      MIGRATE_ON_START: 'true',
      JWT_SECRETS: jwtSecret(),
      ENCRYPTION_KEYS: fernetKey(),
      RATE_LIMIT_SCALE: '0',
      DEMO_MODEL: 'false',
      EMAIL_VERIFICATION: 'off',
      SHUTDOWN_GRACE_S: '1',
      LOG_LEVEL: options.log || process.env.DEBUG ? 'debug' : 'silent',
      ...options.env,
    });
  }

  /** Base URL; the port changes with a restart. */
  get url(): string {
    const { port } = this.app.getHttpServer().address() as { port: number };
    return `http://127.0.0.1:${port}`;
  }

  /** The ORM, to arrange or read rows that no endpoint does. */
  get manager(): EntityManager {
    return this.app.get(DataSource).manager;
  }

  /** The events published to a user during `work`. */
  async eventsDuring(userId: number, work: () => Promise<unknown>): Promise<ParleyEvent[]> {
    const events: ParleyEvent[] = [];
    const end = this.app.get(EventHub).subscribe(userId, (event) => {
      // Published every few seconds, for every user with a connection or a running reply.
      if (event.type !== 'sessions.current') events.push(event);
    });
    await work();
    end();
    return events;
  }

  /** Starts another node on the same database with the same secrets. Stop it before this one. */
  async startNode(env: TestAppOptions['env'] = {}): Promise<TestApp> {
    const { jwtSecrets, encryptionKeys } = this.settings;
    const secrets = { JWT_SECRETS: jwtSecrets.join(','), ENCRYPTION_KEYS: encryptionKeys.join(',') };
    const options = { ...this.options, env: { ...this.options.env, ...secrets, ...env } };
    const shared = { url: this.database.url, drop: () => Promise.resolve() };
    const folder = await mkdtemp(join(tmpdir(), 'parley-test-'));
    const node = new TestApp(options, folder, shared, await PlayedProvider.start());
    await node.start();
    return node;
  }

  /** A user with a random name. */
  user(): UserBuilder {
    return new UserBuilder({ url: () => this.url, opened: (connection) => this.opened(connection) });
  }

  /** Registers a connection to be closed by `stop`. */
  opened<T extends { close(): Promise<void> }>(connection: T): T {
    this.connections.add(connection);
    return connection;
  }

  /** Restarts gracefully with the same database and settings. */
  async restart(): Promise<void> {
    await this.app.close();
    await this.start();
  }

  async start(): Promise<void> {
    const logger = createLogger(this.settings.logLevel, this.options.log);
    const builder = Test.createTestingModule({ imports: [AppModule] }).setLogger(new PinoLogger(logger));
    if (!this.options.costlyHashes)
      builder.overrideProvider(PasswordService).useValue(new PasswordService(CHEAP));
    for (const [token, value] of this.options.providers ?? [])
      builder.overrideProvider(token).useValue(value);
    const module = await builder.overrideProvider(Settings).useValue(this.settings).compile();
    this.app = module.createNestApplication<NestExpressApplication>(new HttpAdapter(), { bodyParser: false });
    configureApp(this.app, this.settings, logger);
    await this.app.listen(0, '127.0.0.1');
  }

  async stop(): Promise<void> {
    await Promise.allSettled([...this.connections].map((connection) => connection.close()));
    await this.app?.close();
    await this.provider.stop();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

export type { TestApp };
