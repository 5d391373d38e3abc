import { MigrationInterface, QueryRunner, Table } from 'typeorm';

const TIME = { type: 'datetime', precision: 3 };

/** Adds invitations to register. Repeatable, as MySQL commits each statement. */
export class Invitations1764440000000 implements MigrationInterface {
  name = 'Invitations1764440000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(invitations(mysql), true);
    if (mysql)
      await queryRunner.query('ALTER TABLE invitations CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('invitations', true);
  }
}

function invitations(mysql: boolean): Table {
  const id = { type: mysql ? 'bigint' : 'integer' };
  return new Table({
    name: 'invitations',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
      { name: 'code_hash', type: 'varchar', length: '64' },
      { name: 'email', type: 'varchar', length: '255', isNullable: true },
      { name: 'expires_at', ...TIME },
      { name: 'used_by', ...id, isNullable: true },
      { name: 'created_at', ...TIME },
    ],
    indices: [{ name: 'uq_invitations_code_hash', columnNames: ['code_hash'], isUnique: true }],
  });
}
