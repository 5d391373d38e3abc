import getPort from 'get-port';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { onMysql } from './database.js';

const SERVICES =
  process.env.SERVICES_SCRIPT ?? join(import.meta.dirname, '../../../../shared/tools/services');
/** Folder of the servers unpacked by the `services` script. */
const SHARED_FOLDER = process.env.SERVICES_DIR ?? join(homedir(), '.cache/test-services');
/** Starting a server and its first databases takes about 10 s. */
export const OWN_SERVER_MS = 90_000;

const run = promisify(execFile);

/** Group of tests with their own database server, on MySQL or MariaDB with a script to start one. */
export function onOwnServer(name: string, tests: () => void): void {
  if (existsSync(SERVICES)) onMysql(name, tests);
}

/** MySQL or MariaDB server, by TEST_MYSQL_URL, that a test may reconfigure, kill and restart. */
export class OwnServer {
  private constructor(
    readonly kind: 'mysql' | 'mariadb',
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async start(): Promise<OwnServer> {
    const kind = process.env.TEST_MYSQL_URL?.startsWith('mariadb:') ? 'mariadb' : 'mysql';
    const server = new OwnServer(kind, await mkdtemp(`${SHARED_FOLDER}-own-`), await getPort());
    const unpacked = join(SHARED_FOLDER, kind === 'mysql' ? 'sid-mysql' : 'mariadb');
    // Links to the unpacked servers, so that the script does not download them again.
    await run('cp', ['-al', unpacked, join(server.folder, basename(unpacked))]).catch(() => undefined);
    await server.up();
    return server;
  }

  /** @param user the name, with `:password` if required */
  url(database: string, user = 'root'): string {
    return `${this.kind}://${user}@127.0.0.1:${this.port}/${database}`;
  }

  /** Runs a statement as root on a new connection. */
  async query<T = Record<string, unknown>>(sql: string, database = ''): Promise<T[]> {
    const connection = await createConnection(this.url(database).replace(/^mariadb:/, 'mysql:'));
    try {
      return (await connection.query<RowDataPacket[]>(sql))[0] as T[];
    } finally {
      await connection.end();
    }
  }

  async createDatabase(name: string, charset = 'utf8mb4'): Promise<string> {
    await this.query(`CREATE DATABASE ${name} CHARACTER SET ${charset}`);
    return this.url(name);
  }

  /** Starts the server, also after `kill`, on the same data. */
  up(): Promise<unknown> {
    return this.services('up');
  }

  kill(): Promise<unknown> {
    return this.services('kill');
  }

  async stop(): Promise<void> {
    await this.services('kill');
    await rm(this.folder, { recursive: true, force: true });
  }

  private services(command: string): Promise<unknown> {
    const env = {
      ...process.env,
      SERVICES_DIR: this.folder,
      [`SERVICES_${this.kind.toUpperCase()}_PORT`]: String(this.port),
    };
    return run(SERVICES, [command, this.kind], { env });
  }
}
