import type { PoolConnection, QueryError, SqlValue } from 'mysql2';
import type { Socket } from 'node:net';
import type { DataSource, ReplicationMode } from 'typeorm';
import { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js';
import { MysqlQueryRunner } from 'typeorm/driver/mysql/MysqlQueryRunner.js';
import { isReadOnly } from '../../common/errors/database-errors.js';
import { SESSION_SETTINGS } from './server-settings.js';

/** Time without an answer after which the server is probed, and between two probes. */
const PROBE_INTERVAL_MS = 2000;
/** Time for a probe, from connecting to its answer. */
const PROBE_TIMEOUT_MS = 1500;
/** Wait for a connection of the pool; mysql2 has no limit. */
const POOL_WAIT_MS = 3500;
/** Makes mysql2 write string literals that mean the same with and without NO_BACKSLASH_ESCAPES. */
const ANY_SQL_MODE = { noBackslashEscapes: true };

/**
 * TypeORM's MySQL driver with a watch on statements. mysql2 waits for an answer without limit, and a time-out would
 * end slow statements too, such as the deletion of a million messages. So a statement that takes long starts probes
 * on another connection, and is aborted once a probe fails.
 */
class WatchedDriver extends MysqlDriver {
  /** When SESSION_SETTINGS were applied, by performance.now(). */
  private readonly preparedAt = new WeakMap<PoolConnection, number>();
  /** Connections prepared earlier may lead to a server that has been replaced. */
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
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(timeoutError());
        // The caller has its error already; a late connection goes back to the pool.
        obtained.then((connection) => connection.release()).catch(() => undefined);
      }, POOL_WAIT_MS);
    });
    return Promise.race([obtained, timeout]).finally(() => clearTimeout(timer));
  }

  /** Drops a connection to a read-only server; the pool's other connections are dropped when they are next obtained. */
  discard(connection: PoolConnection): void {
    this.staleBefore = performance.now();
    connection.destroy();
  }

  /**
   * Aborts the connection's statement if the server stops answering.
   * @returns ends the watch
   */
  watch(connection: PoolConnection): () => void {
    let over = false;
    const check = async () => {
      const answers = await this.answers();
      if (over) return;
      if (answers) timer = setTimeout(check, PROBE_INTERVAL_MS);
      else (connection as unknown as { stream: Socket }).stream.destroy(timeoutError());
    };
    let timer = setTimeout(check, PROBE_INTERVAL_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  /** @throws an error with mysql2's mark `fatal`: no connection can be used */
  private async obtainPrepared(): Promise<PoolConnection> {
    try {
      for (;;) {
        const connection: PoolConnection = await super.obtainMasterConnection();
        if (await this.prepare(connection)) return connection;
        connection.destroy();
      }
    } catch (error) {
      throw Object.assign(error as Error, { fatal: true });
    }
  }

  /** Applies SESSION_SETTINGS to a new connection. @returns false if the connection is stale */
  private async prepare(connection: PoolConnection): Promise<boolean> {
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

  /** Concurrent callers share one probe. */
  private answers(): Promise<boolean> {
    return (this.probing ??= this.probe().finally(() => (this.probing = undefined)));
  }

  private async probe(): Promise<boolean> {
    const options: object = await this.createConnectionOptions(this.options, this.options);
    const connection = (this.mysql as typeof import('mysql2')).createConnection(options);
    return new Promise((resolve) => {
      const onAnswer = (error?: Partial<QueryError> | null) => {
        clearTimeout(timer);
        connection.destroy();
        // Errors of the server, such as too many connections, are answers too.
        resolve(!error || error.sqlState !== undefined);
      };
      const timer = setTimeout(onAnswer, PROBE_TIMEOUT_MS, timeoutError());
      connection.on('error', onAnswer);
      connection.ping(onAnswer);
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

/** Has the code of a network time-out. */
function timeoutError(): Error {
  return Object.assign(new Error('The database does not answer.'), { code: 'ETIMEDOUT' });
}

export function useMysqlDriver(dataSource: DataSource): DataSource {
  return Object.assign(dataSource, { driver: new WatchedDriver(dataSource) });
}
