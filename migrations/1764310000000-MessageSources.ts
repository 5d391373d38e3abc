import { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Adds the sources of a reply, as JSON. By hand, as TypeORM would copy SQLite's whole table; the check makes it repeatable,
 * as MySQL's DDL is not transactional.
 */
export class MessageSources1764310000000 implements MigrationInterface {
  name = 'MessageSources1764310000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    if (await queryRunner.hasColumn('messages', 'sources')) return;
    const type = queryRunner.dataSource.options.type === 'better-sqlite3' ? 'text' : 'longtext';
    await queryRunner.query(`ALTER TABLE messages ADD COLUMN sources ${type} NULL`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    if (!(await queryRunner.hasColumn('messages', 'sources'))) return;
    await queryRunner.query('ALTER TABLE messages DROP COLUMN sources');
  }
}
