import { DataSource, DataSourceOptions } from 'typeorm';
import { useMysqlDriver } from './mysql/watched-driver.js';
import { SqliteDatabase } from './sqlite/sqlite-database.js';
import { useSqliteDriver } from './sqlite/sqlite-driver.js';

type Schema = Pick<DataSourceOptions, 'entities' | 'migrations'>;

/** @param url `sqlite:<path>`, `mysql://…` or `mariadb://…`, these two with `?ssl=true` for TLS */
export function createDataSource(url: string, schema: Schema): DataSource {
  const shared = { ...schema, migrationsTransactionMode: 'each', synchronize: false } as const;
  if (url.startsWith('sqlite:')) {
    return withNumericIds(useSqliteDriver(new DataSource({ ...shared, ...sqliteOptions(url) })));
  }
  return withNumericIds(useMysqlDriver(new DataSource({ ...shared, ...mysqlOptions(url) })));
}

/** TypeORM gives the generated id of a new row as text where the column is a BIGINT. */
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

function mysqlOptions(url: string): DataSourceOptions {
  return {
    type: url.startsWith('mariadb:') ? 'mariadb' : 'mysql',
    url,
    // With the certificate verified, against NODE_EXTRA_CA_CERTS too; a server without TLS is refused.
    ssl: new URL(url).searchParams.get('ssl') === 'true' ? { verifyIdentity: true } : undefined,
    charset: 'utf8mb4',
    timezone: 'Z',
    supportBigNumbers: true,
    bigNumberStrings: false,
    connectTimeout: 3000,
    poolSize: 10,
    // mysql2's traces take a fifth of a short statement's time here, for what TypeORM's errors say as well.
    trace: false,
    // Finds out within 20 s that an idle connection has been dropped on its way. Milliseconds.
    extra: { keepAliveInitialDelay: 10_000 },
  };
}
