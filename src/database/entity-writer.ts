import type { DataSource, EntityManager } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Row } from './entity-reader.js';

/** MySQL answers with the first id of the statement, SQLite with the last. */
type Inserted = { insertId: number | string } | number | bigint;

/** Stores entities by an INSERT that is written by hand, for what is stored often: see EntityReader. */
export class EntityWriter<T extends object> {
  private readonly columns: ColumnMetadata[];
  private readonly into: string;

  constructor(
    private readonly dataSource: DataSource,
    entity: new () => T,
  ) {
    const { columns, tableName } = dataSource.getMetadata(entity);
    this.columns = columns.filter((column) => !column.isGenerated);
    const names = this.columns.map((column) => column.databaseName);
    this.into = `INSERT INTO ${tableName} (${names.join(', ')}) VALUES`;
  }

  /** In one statement. @returns the lowest of the ids that they were given, which need not follow each other */
  async insert(manager: EntityManager, entities: T[]): Promise<number> {
    const row = `(${this.columns.map(() => '?').join(', ')})`;
    const sql = `${this.into} ${entities.map(() => row).join(', ')}`;
    const inserted = await manager.query<Inserted>(
      sql,
      entities.flatMap((entity) => this.valuesOf(entity)),
    );
    if (typeof inserted === 'object') return Number(inserted.insertId);
    return Number(inserted) - entities.length + 1;
  }

  private valuesOf(entity: T): unknown[] {
    const { driver } = this.dataSource;
    return this.columns.map((column) =>
      driver.preparePersistentValue((entity as Row)[column.propertyName], column),
    );
  }
}
