import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { createDataSource } from '../../../src/database/data-source.js';
import { SCHEMA } from '../../../src/schema.js';
import { createMigratedDatabase, type TestDatabase } from '../infrastructure/database.js';
import { HttpClient } from '../clients/http.js';
import { PlayedProvider } from '../provider/provider.js';
import { ServerProcess } from './server-process.js';
import { TestUser, UserBuilder } from './user.js';
import { fernetKey, jwtSecret } from '../secrets.js';

type Env = Partial<Record<string, string>>;

/** Starts nodes of the built server as child processes on one database, with shared secrets. Stop it in `afterAll`. */
export async function startTestNodes(): Promise<TestNodes> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-nodes-'));
  return new TestNodes(folder, await createMigratedDatabase(folder), await PlayedProvider.start());
}

export class TestNodes {
  private readonly nodes: TestNode[] = [];
  private readonly secrets = {
    JWT_SECRETS: jwtSecret(),
    ENCRYPTION_KEYS: fernetKey(),
  };
  private source?: DataSource;

  constructor(
    private readonly folder: string,
    private readonly testDatabase: TestDatabase,
    readonly provider: PlayedProvider,
  ) {}

  get databaseUrl(): string {
    return this.testDatabase.url;
  }

  /** Starts a node; resolves once it is ready. */
  async start(env: Env = {}): Promise<TestNode> {
    const process = new ServerProcess(this.folder, {
      DATABASE_URL: this.databaseUrl,
      DEMO_MODEL: 'false',
      RATE_LIMIT_SCALE: '0',
      SHUTDOWN_GRACE_S: '2',
      ...this.secrets,
      ...env,
    });
    const node = new TestNode(process);
    this.nodes.push(node);
    await node.ready();
    return node;
  }

  /** Queries the database directly, with or without nodes. */
  async query<T>(sql: string, parameters: unknown[] = []): Promise<T[]> {
    this.source ??= await createDataSource(this.databaseUrl, SCHEMA).initialize();
    return this.source.query(sql, parameters);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    await this.source?.destroy();
    await this.provider.stop();
    await this.testDatabase.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Node process and its HTTP client. */
export class TestNode {
  url = '';
  readonly http = new HttpClient(() => this.url);
  private readonly connections = new Set<{ close(): Promise<void> }>();

  constructor(readonly process: ServerProcess) {}

  /** Waits until the node accepts requests. */
  async ready(): Promise<void> {
    this.url = await this.process.url();
  }

  /** A user with a random name. */
  user(): UserBuilder {
    return new UserBuilder(this.surroundings());
  }

  /** The same user and login, at this node. */
  welcome(user: TestUser): TestUser {
    const here = new TestUser(this.surroundings(), user.username, user.email, user.password);
    return Object.assign(here, { id: user.id, tokens: user.tokens, configId: user.configId });
  }

  /** Kills the process with SIGKILL. */
  async kill(): Promise<void> {
    this.process.signal('SIGKILL');
    await this.process.exited;
  }

  async close(): Promise<void> {
    await this.process.close();
    await Promise.allSettled([...this.connections].map((connection) => connection.close()));
  }

  private surroundings() {
    return {
      url: () => this.url,
      opened: <T extends { close(): Promise<void> }>(connection: T): T => {
        this.connections.add(connection);
        return connection;
      },
    };
  }
}
