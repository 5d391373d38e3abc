import { MigrationInterface, QueryRunner, Table, TableForeignKey } from 'typeorm';

const TIME = { type: 'datetime', precision: 3 };

/** Adds the queue of mails and the tokens that are mailed. Repeatable, as MySQL commits each statement. */
export class Mail1764400000000 implements MigrationInterface {
  name = 'Mail1764400000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    for (const table of [queuedMails(mysql), mailTokens(mysql)]) {
      await queryRunner.createTable(table, true);
      if (mysql)
        await queryRunner.query(
          `ALTER TABLE ${table.name} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
        );
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('mail_tokens', true);
    await queryRunner.dropTable('queued_mails', true);
  }
}

function queuedMails(mysql: boolean): Table {
  const id = { type: mysql ? 'bigint' : 'integer' };
  return new Table({
    name: 'queued_mails',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
      { name: 'user_id', ...id },
      { name: 'encrypted_mail', type: mysql ? 'longtext' : 'text' },
      { name: 'attempts', type: mysql ? 'int' : 'integer', default: 0 },
      { name: 'next_attempt_at', ...TIME },
      { name: 'created_at', ...TIME },
    ],
    indices: [
      { name: 'ix_queued_mails_user_id', columnNames: ['user_id'] },
      { name: 'ix_queued_mails_next_attempt_at', columnNames: ['next_attempt_at'] },
    ],
    foreignKeys: [ofUser('fk_queued_mails_user_id')],
  });
}

function mailTokens(mysql: boolean): Table {
  return new Table({
    name: 'mail_tokens',
    engine: 'InnoDB',
    columns: [
      { name: 'token_hash', type: 'varchar', length: '64', isPrimary: true },
      { name: 'user_id', type: mysql ? 'bigint' : 'integer' },
      { name: 'purpose', type: 'varchar', length: '16' },
      { name: 'expires_at', ...TIME },
    ],
    indices: [
      { name: 'ix_mail_tokens_user_id', columnNames: ['user_id'] },
      { name: 'ix_mail_tokens_expires_at', columnNames: ['expires_at'] },
    ],
    foreignKeys: [ofUser('fk_mail_tokens_user_id')],
  });
}

function ofUser(name: string): TableForeignKey {
  return new TableForeignKey({
    name,
    columnNames: ['user_id'],
    referencedTableName: 'users',
    referencedColumnNames: ['id'],
    onDelete: 'CASCADE',
    onUpdate: 'NO ACTION',
  });
}
