import type { PoolConnection, QueryError, SqlValue } from 'mysql2';
import type { Socket } from 'node:net';
import type { DataSource, ReplicationMode } from 'typeorm';
import { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js';
import { MysqlQueryRunner } from 'typeorm/driver/mysql/MysqlQueryRunner.js';
import { isReadOnly } from '../../common/errors/database-errors.js';

/** After this long without an answer to a statement, and every so often from then, the server is probed. */
const PATIENCE_MS = 2000;
/** What a probe gets, from connecting to its answer. */
const PROBE_MS = 1500;
/** How long a caller waits for one of the pool's connections. mysql2 would wait for ever. */
const POOL_WAIT_MS = 3500;
/** MySQL's own 50 s are no use to somebody who waits for an answer. It looks once a second, and may take one more. */
const LOCK_WAIT_SECONDS = 1;
/** A reply may have 10 MiB, which this must hold as one value. Bytes; MariaDB's default, a quarter of MySQL's. */
const LEAST_PACKET = 16 * 1024 * 1024;
/** Seconds that a statement waits for a table, or for a server that a backup has locked. */
const TABLE_WAIT_SECONDS = 1;
/** Whatever changes the meaning, the commit or the reach of a statement, whatever the server's defaults are. */
const SESSION_VARIABLES = [
  'NAMES utf8mb4 COLLATE utf8mb4_bin',
  "sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
  'autocommit = 1',
  "completion_type = 'NO_CHAIN'",
  "time_zone = '+00:00'",
  'foreign_key_checks = 1',
  'unique_checks = 1',
  'sql_auto_is_null = 0',
  'sql_safe_updates = 0',
  'sql_big_selects = 1',
  'sql_select_limit = 18446744073709551615',
  'default_storage_engine = InnoDB',
  `innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
  `lock_wait_timeout = ${TABLE_WAIT_SECONDS}`,
];
const SESSION_SETTINGS = [
  `SET ${SESSION_VARIABLES.join(', ')}`,
  // A statement must see what another connection has just committed, as it does on SQLite. TypeORM's own option would
  // cost every transaction a statement.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];
/** Makes mysql2 write string literals that have the same value with backslash escapes and without. */
const ANY_SQL_MODE = { noBackslashEscapes: true };

/**
 * A MySQL driver that notices when the server has gone without a word. mysql2 waits for an answer without end, and a
 * time limit for every statement would end the slow ones too (the deletion of a million messages). So a statement
 * that takes long makes us ask, on another connection, whether the server still answers anybody.
 */
class WatchedDriver extends MysqlDriver {
  /** When a connection got its settings, on performance's clock. */
  private readonly preparedAt = new WeakMap<PoolConnection, number>();
  /** Connections that are older than this may lead to a server that has been replaced. */
  private staleBefore = -Infinity;
  private probing?: Promise<boolean>;

  constructor(dataSource: DataSource) {
    super(dataSource);
    const { format } = this.mysql as typeof import('mysql2');
    const queryFormat = (sql: string, values: SqlValue[], timezone: string) =>
      format(sql, values, true, timezone, ANY_SQL_MODE);
    Object.assign(this.options, { extra: { ...(this.options.extra as object), queryFormat } });
  }

  override createQueryRunner(mode: ReplicationMode): MysqlQueryRunner {
    return new WatchedQueryRunner(this, mode);
  }

  override async obtainMasterConnection(): Promise<PoolConnection> {
    const obtained = this.obtainPrepared();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(noAnswer());
        obtained.then((connection) => connection.release()).catch(() => undefined); // its caller knows already
      }, POOL_WAIT_MS);
    });
    return Promise.race([obtained, tooLate]).finally(() => clearTimeout(timer));
  }

  /** Drops a connection to a server that takes no writes any more; the others are dropped when they are next asked for. */
  discard(connection: PoolConnection): void {
    this.staleBefore = performance.now();
    connection.destroy();
  }

  /** Cuts the connection where its statement waits for a server that does not answer. @returns what ends the watch */
  watch(connection: PoolConnection): () => void {
    let over = false;
    const check = async () => {
      const answers = await this.answers();
      if (over) return;
      if (answers) timer = setTimeout(check, PATIENCE_MS);
      else (connection as unknown as { stream: Socket }).stream.destroy(noAnswer());
    };
    let timer = setTimeout(check, PATIENCE_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  /** @throws an error marked fatal, as mysql2 does it for connections that are of no use */
  private async obtainPrepared(): Promise<PoolConnection> {
    try {
      for (;;) {
        const connection: PoolConnection = await super.obtainMasterConnection();
        if (await this.isPrepared(connection)) return connection;
        connection.destroy();
      }
    } catch (error) {
      throw Object.assign(error as Error, { fatal: true });
    }
  }

  /** Brings a new connection to the settings that statements rely on. @returns false where it is stale */
  private async isPrepared(connection: PoolConnection): Promise<boolean> {
    const preparedAt = this.preparedAt.get(connection);
    if (preparedAt !== undefined) return preparedAt > this.staleBefore;
    try {
      for (const statement of SESSION_SETTINGS) await connection.promise().query(statement);
    } catch (error) {
      connection.destroy();
      throw error;
    }
    this.preparedAt.set(connection, performance.now());
    return true;
  }

  /** One probe serves all that ask meanwhile. */
  private answers(): Promise<boolean> {
    return (this.probing ??= this.probe().finally(() => (this.probing = undefined)));
  }

  private async probe(): Promise<boolean> {
    const options: object = await this.createConnectionOptions(this.options, this.options);
    const connection = (this.mysql as typeof import('mysql2')).createConnection(options);
    return new Promise((resolve) => {
      const answer = (error?: Partial<QueryError> | null) => {
        clearTimeout(timer);
        connection.destroy();
        // That there are too many connections, or a wrong password, is an answer too.
        resolve(!error || error.sqlState !== undefined);
      };
      const timer = setTimeout(answer, PROBE_MS, noAnswer());
      connection.on('error', answer);
      connection.ping(answer);
    });
  }
}

class WatchedQueryRunner extends MysqlQueryRunner {
  constructor(
    private readonly watched: WatchedDriver,
    mode: ReplicationMode,
  ) {
    super(watched, mode);
  }

  override async query(query: string, parameters?: unknown[], useStructuredResult?: boolean) {
    const connection: PoolConnection = await this.connect();
    const endWatch = this.watched.watch(connection);
    try {
      return await super.query(query, parameters, useStructuredResult as true);
    } catch (error) {
      if (isReadOnly(error)) this.watched.discard(connection);
      throw error;
    } finally {
      endWatch();
    }
  }
}

/** As a network's own time-out says it. */
function noAnswer(): Error {
  return Object.assign(new Error('The database does not answer.'), { code: 'ETIMEDOUT' });
}

/** @throws an Error for the operator: a long reply could never be stored, and would run for ever */
export async function refuseSmallPackets(dataSource: DataSource): Promise<void> {
  const [row] = await dataSource.query<{ bytes: number }[]>('SELECT @@max_allowed_packet AS bytes');
  if (row!.bytes >= LEAST_PACKET) return;
  throw new Error(
    `The database's max_allowed_packet is ${row!.bytes} bytes, but must be ${LEAST_PACKET} or more.`,
  );
}

export function useMysqlDriver(dataSource: DataSource): DataSource {
  return Object.assign(dataSource, { driver: new WatchedDriver(dataSource) });
}
