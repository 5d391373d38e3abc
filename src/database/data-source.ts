import { DataSource, type DataSourceOptions } from 'typeorm';
import { useMysqlDriver } from './mysql/watched-driver.js';
import { SqliteDatabase } from './sqlite/sqlite-database.js';
import { useSqliteDriver } from './sqlite/sqlite-driver.js';

export type Schema = Pick<DataSourceOptions, 'entities' | 'migrations'>;

const DEFAULT_POOL_SIZE = 10;

/** @param url `sqlite:<path>`, or `mysql://…` or `mariadb://…`, with `?ssl=true` for TLS */
export function createDataSource(url: string, schema: Schema): DataSource {
  return withDriver(new DataSource(dataSourceOptions(url, schema, DEFAULT_POOL_SIZE)));
}

/** @param poolSize maximum connections to MySQL */
export function dataSourceOptions(url: string, schema: Schema, poolSize: number): DataSourceOptions {
  const shared = { ...schema, migrationsTransactionMode: 'each', synchronize: false } as const;
  return { ...shared, ...(url.startsWith('sqlite:') ? sqliteOptions(url) : mysqlOptions(url, poolSize)) };
}

/** Replaces TypeORM's driver of a new data source. */
export function withDriver(dataSource: DataSource): DataSource {
  return withNumericIds(isMysql(dataSource) ? useMysqlDriver(dataSource) : useSqliteDriver(dataSource));
}

/** Converts generated BIGINT ids, which TypeORM returns as text. */
function withNumericIds(dataSource: DataSource): DataSource {
  const { driver } = dataSource;
  const createGeneratedMap = driver.createGeneratedMap.bind(driver);
  driver.createGeneratedMap = (metadata, ...rest) => {
    const map = createGeneratedMap(metadata, ...rest);
    for (const { propertyName } of metadata.generatedColumns) {
      if (map?.[propertyName] !== undefined) map[propertyName] = Number(map[propertyName]);
    }
    return map;
  };
  return dataSource;
}

export function isMysql(dataSource: DataSource): boolean {
  return dataSource.options.type === 'mysql' || dataSource.options.type === 'mariadb';
}

function sqliteOptions(url: string): DataSourceOptions {
  return {
    type: 'better-sqlite3',
    database: url.slice('sqlite:'.length),
    driver: SqliteDatabase,
    enableWAL: true,
    prepareDatabase: (database: SqliteDatabase) => void database.pragma('synchronous = NORMAL'),
  };
}

function mysqlOptions(url: string, poolSize: number): DataSourceOptions {
  return {
    type: url.startsWith('mariadb:') ? 'mariadb' : 'mysql',
    url,
    // Verifies the certificate, also against NODE_EXTRA_CA_CERTS, and refuses a server without TLS.
    ssl: new URL(url).searchParams.get('ssl') === 'true' ? { verifyIdentity: true } : undefined,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: false,
    connectTimeout: 3000,
    poolSize,
    // Stack traces of mysql2 are slow, and TypeORM's errors have the same information.
    trace: false,
    // Detects dropped idle connections within 20 s. Milliseconds.
    extra: { keepAliveInitialDelay: 10_000 },
  };
}
