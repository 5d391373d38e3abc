import { MigrationInterface, QueryRunner, Table } from 'typeorm';

const TABLE = 'stream_tickets';

/** Adds the tickets that open event streams. Repeatable, as MySQL commits each statement. */
export class StreamTickets1764380000000 implements MigrationInterface {
  name = 'StreamTickets1764380000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(streamTickets(mysql ? 'bigint' : 'integer'), true);
    if (mysql)
      await queryRunner.query(`ALTER TABLE ${TABLE} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable(TABLE, true);
  }
}

function streamTickets(idType: string): Table {
  const time = { type: 'datetime', precision: 3 };
  return new Table({
    name: TABLE,
    engine: 'InnoDB',
    columns: [
      { name: 'token_hash', type: 'varchar', length: '64', isPrimary: true },
      { name: 'session_id', type: idType, isNullable: true },
      { name: 'expires_at', ...time },
      { name: 'access_expires_at', ...time },
    ],
    indices: [
      { name: `ix_${TABLE}_session_id`, columnNames: ['session_id'] },
      { name: `ix_${TABLE}_expires_at`, columnNames: ['expires_at'] },
    ],
    foreignKeys: [
      {
        name: `fk_${TABLE}_session_id`,
        columnNames: ['session_id'],
        referencedTableName: 'sessions',
        referencedColumnNames: ['id'],
        onDelete: 'SET NULL',
        onUpdate: 'NO ACTION',
      },
    ],
  });
}
