import { MigrationInterface, QueryRunner, Table } from 'typeorm';

const TIME = { type: 'datetime', precision: 3 };

/** Adds the outbox of webhooks. Repeatable, as MySQL commits each statement. */
export class Webhooks1764470000000 implements MigrationInterface {
  name = 'Webhooks1764470000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(webhookDeliveries(mysql), true);
    if (mysql)
      await queryRunner.query(
        'ALTER TABLE webhook_deliveries CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('webhook_deliveries', true);
  }
}

function webhookDeliveries(mysql: boolean): Table {
  const id = { type: mysql ? 'bigint' : 'integer' };
  return new Table({
    name: 'webhook_deliveries',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
      { name: 'webhook_id', type: 'varchar', length: '40' },
      { name: 'type', type: 'varchar', length: '32' },
      { name: 'ordering_key', type: 'varchar', length: '32' },
      { name: 'body', type: mysql ? 'longtext' : 'text' },
      { name: 'status', type: 'varchar', length: '10' },
      { name: 'attempts', type: mysql ? 'int' : 'integer' },
      { name: 'next_attempt_at', ...TIME, isNullable: true },
      { name: 'retry_until', ...TIME },
      { name: 'last_error', type: 'varchar', length: '255', isNullable: true },
      { name: 'created_at', ...TIME },
      { name: 'finished_at', ...TIME, isNullable: true },
    ],
    indices: [
      { name: 'ix_webhook_deliveries_order', columnNames: ['ordering_key', 'status'] },
      { name: 'ix_webhook_deliveries_status', columnNames: ['status'] },
      { name: 'ix_webhook_deliveries_next_attempt_at', columnNames: ['next_attempt_at'] },
      { name: 'ix_webhook_deliveries_finished_at', columnNames: ['finished_at'] },
    ],
  });
}
