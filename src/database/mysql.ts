import type { PoolConnection, QueryError } from 'mysql2';
import type { Socket } from 'node:net';
import type { DataSource, ReplicationMode } from 'typeorm';
import { MysqlDriver } from 'typeorm/driver/mysql/MysqlDriver.js';
import { MysqlQueryRunner } from 'typeorm/driver/mysql/MysqlQueryRunner.js';

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
const PREPARATIONS = [
  `SET SESSION innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
  // A statement must see what another connection has just committed, as it does on SQLite. TypeORM's own option would
  // cost every transaction a statement.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/**
 * A MySQL driver that notices when the server has gone without a word. mysql2 waits for an answer without end, and a
 * time limit for every statement would end the slow ones too (the deletion of a million messages). So a statement
 * that takes long makes us ask, on another connection, whether the server still answers anybody.
 */
class WatchedDriver extends MysqlDriver {
  private readonly prepared = new WeakSet<PoolConnection>();
  private probing?: Promise<boolean>;

  override createQueryRunner(mode: ReplicationMode): MysqlQueryRunner {
    return new WatchedQueryRunner(this, mode);
  }

  override async obtainMasterConnection(): Promise<PoolConnection> {
    const obtained: Promise<PoolConnection> = super.obtainMasterConnection();
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(noAnswer());
        obtained.then((connection) => connection.release()).catch(() => undefined); // its caller knows already
      }, POOL_WAIT_MS);
    });
    return this.prepare(await Promise.race([obtained, tooLate]).finally(() => clearTimeout(timer)));
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

  private prepare(connection: PoolConnection): PoolConnection {
    if (this.prepared.has(connection)) return connection;
    this.prepared.add(connection);
    // A connection's statements take turns. Where one of these fails the connection has, as the next will say.
    for (const statement of PREPARATIONS) connection.query(statement, () => undefined);
    return connection;
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
    const endWatch = this.watched.watch(await this.connect());
    try {
      return await super.query(query, parameters, useStructuredResult as true);
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
