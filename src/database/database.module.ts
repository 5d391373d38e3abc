import { DynamicModule, Module } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, DataSourceOptions } from 'typeorm';
import { createHash } from 'node:crypto';
import { Settings } from '../env/settings.js';
import { createDataSource, isMysql } from './data-source.js';
import { Deployment } from './deployment.entity.js';
import { refuseSmallPackets } from './mysql/server-settings.js';

const MIGRATION_WAIT_SECONDS = 60;

@Module({})
export class DatabaseModule {
  static forRoot(schema: Pick<DataSourceOptions, 'entities' | 'migrations'>): DynamicModule {
    const connection = TypeOrmModule.forRootAsync({
      inject: [Settings],
      useFactory: (settings: Settings) => ({
        ...createDataSource(settings.databaseUrl, schema).options,
        settings,
        // A node that cannot start says why and ends; whoever started it decides on another try.
        toRetry: () => false,
      }),
      dataSourceFactory: (options) =>
        connect((options as unknown as { settings: Settings }).settings, schema),
    });
    return {
      module: DatabaseModule,
      global: true,
      imports: [connection],
      providers: [DEPLOYMENT],
      exports: [Deployment],
    };
  }
}

const DEPLOYMENT = {
  provide: Deployment,
  inject: [getDataSourceToken()],
  useFactory: (database: DataSource) => database.getRepository(Deployment).findOneOrFail({ where: {} }),
};

/** @throws an Error that tells the operator what the database lacks */
async function connect(
  settings: Settings,
  schema: Pick<DataSourceOptions, 'entities' | 'migrations'>,
): Promise<DataSource> {
  const dataSource = await createDataSource(settings.databaseUrl, schema).initialize();
  try {
    if (isMysql(dataSource)) await refuseSmallPackets(dataSource);
    if (settings.migrateOnStart) await migrate(dataSource);
    else await refuseUnmigrated(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

async function refuseUnmigrated(dataSource: DataSource): Promise<void> {
  if (!(await dataSource.showMigrations())) return;
  throw new Error('The database is not migrated: run `npm run migration:run`, or set MIGRATE_ON_START=true.');
}

/** Nodes that start together take turns, since MySQL cannot change a schema in a transaction. */
async function migrate(dataSource: DataSource): Promise<void> {
  if (!isMysql(dataSource)) return void (await dataSource.runMigrations());
  const runner = dataSource.createQueryRunner();
  // A lock's name has at most 64 characters, a database's may have as many.
  const database = createHash('sha256').update(String(dataSource.driver.database)).digest('hex');
  const name = `parley.${database.slice(0, 32)}`;
  try {
    await runner.query('SELECT GET_LOCK(?, ?)', [name, MIGRATION_WAIT_SECONDS]);
    await dataSource.runMigrations();
  } finally {
    await runner.query('SELECT RELEASE_LOCK(?)', [name]);
    await runner.release();
  }
}
