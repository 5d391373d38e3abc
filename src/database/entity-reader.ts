import type { DataSource, EntityManager } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';

export type Row = Record<string, unknown>;

/**
 * Makes entities of the rows of a SELECT that is written by hand: for what is read so often that TypeORM's query builder
 * would cost more than the query.
 */
export class EntityReader<T extends object> {
  /** What to select: every column of the entity. */
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

  /** @param rest of the statement, from after the table; it names columns by the alias */
  async findOne(manager: EntityManager, rest: string, parameters: unknown[]): Promise<T | null> {
    const [row] = await manager.query<Row[]>(`SELECT ${this.columns} FROM ${this.table} ${rest}`, parameters);
    return row ? this.read(row) : null;
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
