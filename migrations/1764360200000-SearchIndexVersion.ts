import { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds how a block's text was folded: what was made before has version 0, and is made anew. */
export class SearchIndexVersion1764360200000 implements MigrationInterface {
  name = 'SearchIndexVersion1764360200000';

  /** Repeatable, as MySQL commits each change of a table. Plain SQL, as TypeORM would copy SQLite's whole table. */
  async up(queryRunner: QueryRunner): Promise<void> {
    if (await queryRunner.hasColumn('search_blocks', 'version')) return;
    const type = queryRunner.dataSource.options.type === 'better-sqlite3' ? 'integer' : 'int';
    await queryRunner.query(`ALTER TABLE search_blocks ADD COLUMN version ${type} NOT NULL DEFAULT 0`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE search_blocks DROP COLUMN version');
  }
}
