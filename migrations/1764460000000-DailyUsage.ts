import { MigrationInterface, QueryRunner, Table } from 'typeorm';

/** Adds the tokens used per day. */
export class DailyUsage1764460000000 implements MigrationInterface {
  name = 'DailyUsage1764460000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(dailyUsage(mysql ? 'bigint' : 'integer', !mysql), true);
    if (mysql)
      await queryRunner.query('ALTER TABLE daily_usage CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('daily_usage', true);
  }
}

/** The primary key contains the data: InnoDB's always does, SQLite's without row ids. */
function dailyUsage(number: string, withoutRowid: boolean): Table {
  return new Table({
    name: 'daily_usage',
    engine: 'InnoDB',
    withoutRowid,
    columns: [
      { name: 'date', type: 'varchar', length: '10', isPrimary: true },
      { name: 'user_id', type: number, isPrimary: true },
      { name: 'model_name', type: 'varchar', length: '200', isPrimary: true },
      { name: 'config_id', type: number, isPrimary: true },
      { name: 'replies', type: number },
      { name: 'prompt_tokens', type: number },
      { name: 'completion_tokens', type: number },
    ],
  });
}
