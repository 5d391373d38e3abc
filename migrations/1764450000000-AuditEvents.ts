import { MigrationInterface, QueryRunner, Table, TableIndex } from 'typeorm';

const COLUMNS_WITH_INDEX = ['at', 'action', 'user_id', 'target_user_id'];

const ROLE_INDEX = new TableIndex({ name: 'ix_users_role', columnNames: ['role'] });

/** Adds the audit trail, the time when a user was last seen, and an index of administrators. Repeatable, as MySQL commits each statement. */
export class AuditEvents1764450000000 implements MigrationInterface {
  name = 'AuditEvents1764450000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(auditEvents(mysql), true);
    if (mysql)
      await queryRunner.query(
        'ALTER TABLE audit_events CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      );
    // TypeORM's addColumn copies the whole table on SQLite.
    if (!(await queryRunner.hasColumn('users', 'last_seen_at')))
      await queryRunner.query('ALTER TABLE users ADD COLUMN last_seen_at datetime(3)');
    if (!(await hasRoleIndex(queryRunner))) await queryRunner.createIndex('users', ROLE_INDEX);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    if (await hasRoleIndex(queryRunner)) await queryRunner.dropIndex('users', ROLE_INDEX);
    if (await queryRunner.hasColumn('users', 'last_seen_at'))
      await queryRunner.query('ALTER TABLE users DROP COLUMN last_seen_at');
    await queryRunner.dropTable('audit_events', true);
  }
}

async function hasRoleIndex(queryRunner: QueryRunner): Promise<boolean> {
  const { indices } = (await queryRunner.getTable('users'))!;
  return indices.some(({ name }) => name === ROLE_INDEX.name);
}

function auditEvents(mysql: boolean): Table {
  const id = { type: mysql ? 'bigint' : 'integer' };
  const nullableId = { ...id, isNullable: true };
  return new Table({
    name: 'audit_events',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
      { name: 'at', type: 'datetime', precision: 3 },
      { name: 'action', type: 'varchar', length: '64' },
      { name: 'user_id', ...nullableId },
      { name: 'target_user_id', ...nullableId },
      { name: 'session_id', ...nullableId },
      { name: 'address', type: 'varchar', length: '45', isNullable: true },
      { name: 'details', type: mysql ? 'longtext' : 'text', isNullable: true },
    ],
    indices: COLUMNS_WITH_INDEX.map((column) => ({
      name: `ix_audit_events_${column}`,
      columnNames: [column],
    })),
  });
}
