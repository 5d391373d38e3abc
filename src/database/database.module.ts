import { type DynamicModule, Module } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { Settings } from '../env/settings.js';
import { dataSourceOptions, isMysql, type Schema, withDriver } from './data-source.js';
import { Deployment } from './deployment.entity.js';
import { migrate, refuseUnmigrated } from './migrations.js';
import { refuseSmallPackets } from './mysql/server-settings.js';

type Options = DataSourceOptions & { migrateOnStart: boolean };

@Module({})
export class DatabaseModule {
  static forRoot(schema: Schema): DynamicModule {
    const typeOrm = TypeOrmModule.forRootAsync({
      inject: [Settings],
      useFactory: ({
        databaseUrl,
        databasePool,
        migrateOnStart,
      }: Settings): TypeOrmModuleOptions & Options => ({
        ...dataSourceOptions(databaseUrl, schema, databasePool),
        migrateOnStart,
        // Ends the process with the error; its supervisor decides on a restart.
        toRetry: () => false,
      }),
      dataSourceFactory: (options) => connect(options as Options),
    });
    return {
      module: DatabaseModule,
      global: true,
      imports: [typeOrm],
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

/** @throws an Error for the operator if the database is not usable */
async function connect(options: Options): Promise<DataSource> {
  const dataSource = await withDriver(new DataSource(options)).initialize();
  try {
    if (isMysql(dataSource)) await refuseSmallPackets(dataSource);
    if (options.migrateOnStart) await migrate(dataSource);
    else await refuseUnmigrated(dataSource);
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}
