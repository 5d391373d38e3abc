import { DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, DataSourceOptions } from 'typeorm';
import { Settings } from '../env/settings.js';
import { createDataSource } from './data-source.js';

@Module({})
export class DatabaseModule {
  static forRoot(schema: Pick<DataSourceOptions, 'entities' | 'migrations'>): DynamicModule {
    return TypeOrmModule.forRootAsync({
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
  }
}

/** @throws an Error that tells the operator to migrate, where MIGRATE_ON_START is off and a migration is due */
async function connect(
  settings: Settings,
  schema: Pick<DataSourceOptions, 'entities' | 'migrations'>,
): Promise<DataSource> {
  const dataSource = await createDataSource(settings.databaseUrl, schema).initialize();
  if (settings.migrateOnStart) await dataSource.runMigrations();
  else if (await dataSource.showMigrations()) {
    await dataSource.destroy();
    throw new Error(
      'The database is not migrated: run `npm run migration:run`, or set MIGRATE_ON_START=true.',
    );
  }
  return dataSource;
}
