import { randomUUID } from 'node:crypto';
import { MigrationInterface, QueryRunner, Table } from 'typeorm';

/**
 * A name for the database and all that its nodes share, by which they find each other on a Redis that has other guests.
 * Repeatable, as MySQL commits each statement.
 */
export class Deployment1764100000000 implements MigrationInterface {
  name = 'Deployment1764100000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const id = { name: 'id', type: 'varchar', length: '36', isPrimary: true };
    await queryRunner.createTable(new Table({ name: 'deployment', engine: 'InnoDB', columns: [id] }), true);
    if (queryRunner.dataSource.options.type !== 'better-sqlite3') {
      await queryRunner.query(
        'ALTER TABLE `deployment` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      );
    }
    const named: unknown[] = await queryRunner.query('SELECT id FROM deployment');
    if (named.length > 0) return;
    await queryRunner.query('INSERT INTO deployment (id) VALUES (?)', [randomUUID()]);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('deployment', true);
  }
}
