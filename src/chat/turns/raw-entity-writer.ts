import type { DataSource, EntityManager } from 'typeorm';
import type { ColumnMetadata } from 'typeorm/metadata/ColumnMetadata.js';
import type { Row } from '../../database/raw-entity-query.js';

/** MySQL returns the first id of the statement, SQLite the last. */
type Inserted = { insertId: number | string } | number | bigint;

/** Writes entities with raw SQL, because TypeORM takes longer to build the statements of a send than to run them. */
export class RawEntityWriter<T extends { id: number }> {
  private readonly table: string;
  private readonly columns: ColumnMetadata[];

  constructor(
    private readonly dataSource: DataSource,
    entity: new () => T,
  ) {
    const { columns, tableName } = dataSource.getMetadata(entity);
    this.columns = columns.filter((column) => !column.isGenerated);
    this.table = tableName;
  }

  /**
   * Inserts all entities in one statement.
   * @returns the lowest generated id; the others are higher, possibly with gaps
   */
  async insert(manager: EntityManager, entities: T[]): Promise<number> {
    const names = this.columns.map(({ databaseName }) => databaseName).join(', ');
    const row = `(${this.columns.map(() => '?').join(', ')})`;
    const rows = entities.map(() => row).join(', ');
    const inserted = await manager.query<Inserted>(
      `INSERT INTO ${this.table} (${names}) VALUES ${rows}`,
      entities.flatMap((entity) => this.columns.map((column) => this.valueOf(entity, column))),
    );
    if (typeof inserted === 'object') return Number(inserted.insertId);
    return Number(inserted) - entities.length + 1;
  }

  /** Updates these properties of all entities in one statement. */
  async update(manager: EntityManager, entities: T[], properties: (keyof T)[]): Promise<void> {
    const columns = this.columns.filter(({ propertyName }) => properties.includes(propertyName as keyof T));
    const cases = entities.map(() => 'WHEN ? THEN ?').join(' ');
    const changes = columns.map(({ databaseName: name }) => `${name} = CASE id ${cases} END`);
    const values = columns.flatMap((column) =>
      entities.flatMap((entity) => [entity.id, this.valueOf(entity, column)]),
    );
    await manager.query(
      `UPDATE ${this.table} SET ${changes.join(', ')} WHERE id IN (${entities.map(() => '?').join(', ')})`,
      [...values, ...entities.map(({ id }) => id)],
    );
  }

  private valueOf(entity: T, column: ColumnMetadata): unknown {
    const { driver } = this.dataSource;
    return driver.preparePersistentValue((entity as Row)[column.propertyName], column);
  }
}
