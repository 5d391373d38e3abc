import { MigrationInterface, QueryRunner, TableIndex } from 'typeorm';

const INDEXES = [
  ['sessions', 'expires_at'],
  ['refresh_tokens', 'expires_at'],
  ['known_addresses', 'last_login_at'],
] as const;

/** Indexes the columns by which the hourly purge looks. Repeatable, as MySQL commits each statement. */
export class PurgeIndexes1764350000000 implements MigrationInterface {
  name = 'PurgeIndexes1764350000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const [table, column] of INDEXES) {
      const index = new TableIndex({ name: `ix_${table}_${column}`, columnNames: [column] });
      if (!(await hasIndex(queryRunner, table, index.name!))) await queryRunner.createIndex(table, index);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const [table, column] of INDEXES) {
      const name = `ix_${table}_${column}`;
      if (await hasIndex(queryRunner, table, name)) await queryRunner.dropIndex(table, name);
    }
  }
}

async function hasIndex(queryRunner: QueryRunner, table: string, name: string): Promise<boolean> {
  const { indices } = (await queryRunner.getTable(table))!;
  return indices.some((index) => index.name === name);
}
