import type { DataSource, EntityManager } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import { BatchLoader } from '../common/async/batch-loader.js';
import { isMysql } from './data-source.js';

/** Statements per UNION, and the wait for a running one in milliseconds. */
const JOINED = { maxBatchSize: 50, maxWaitMs: 3 };

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
  private readonly joined = new BatchLoader<Selection, T | null>((each) => this.readJoined(each), JOINED);

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

  /** Like findOne, outside transactions: concurrent reads share one UNION on MySQL. */
  findBatched(rest: string, parameters: unknown[]): Promise<T | null> {
    // SQLite has no round trips to save, and would cache a prepared statement per size of the UNION.
    if (!isMysql(this.dataSource)) return this.findOne(this.dataSource.manager, rest, parameters);
    return this.joined.load({ rest, parameters });
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

  private async readJoined(selections: Selection[]): Promise<(T | null | Promise<T | null>)[]> {
    const [{ rest, parameters }, ...others] = selections as [Selection, ...Selection[]];
    if (others.length === 0) return [this.findOne(this.dataSource.manager, rest, parameters)];
    const sql = selections
      .map(({ rest }, index) => `(SELECT ${index} AS selection, ${this.columns} FROM ${this.table} ${rest})`)
      .join(' UNION ALL ');
    const all = selections.flatMap((selection) => selection.parameters);
    const found = new Array<T | null>(selections.length).fill(null);
    for (const row of await this.dataSource.query<Row[]>(sql, all)) {
      found[Number(row.selection)] ??= this.read(row);
    }
    return found;
  }
}

interface Selection {
  /** Rest of the statement after the table's name. */
  rest: string;
  parameters: unknown[];
}
