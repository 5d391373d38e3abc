import type { DataSource, EntityManager } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';

export type Row = Record<string, unknown>;

/**
 * Reads entities with handwritten SELECTs. For the queries of each request and each chat, where TypeORM's query
 * builder costs more than the query.
 */
export class RawEntityQuery<T extends object> {
  /** Select list with every column of the entity. */
  readonly columns: string;
  private readonly fields: { property: string; name: string; column: ColumnMetadata }[];
  private readonly table: string;

  /** @param alias of the entity's table in the query */
  constructor(
    private readonly dataSource: DataSource,
    private readonly entity: new () => T,
    alias: string,
  ) {
    const { columns, tableName } = dataSource.getMetadata(entity);
    this.table = `${tableName} ${alias}`;
    this.fields = columns.map((column) => ({
      property: column.propertyName,
      name: `${alias}_${column.databaseName}`,
      column,
    }));
    this.columns = this.fields
      .map(({ name, column }) => `${alias}.${column.databaseName} AS ${name}`)
      .join(', ');
  }

  /** @param rest of the statement after the table's name; columns are qualified by the alias */
  async findOne(manager: EntityManager, rest: string, parameters: unknown[]): Promise<T | null> {
    const [found = null] = await this.find(manager, rest, parameters);
    return found;
  }

  async find(manager: EntityManager, rest: string, parameters: unknown[]): Promise<T[]> {
    const rows = await manager.query<Row[]>(`SELECT ${this.columns} FROM ${this.table} ${rest}`, parameters);
    return rows.map((row) => this.read(row));
  }

  read(row: Row): T {
    const { driver } = this.dataSource;
    const entity = new this.entity() as Row;
    for (const { property, name, column } of this.fields) {
      entity[property] = driver.prepareHydratedValue(row[name], column);
    }
    return entity as T;
  }
}
