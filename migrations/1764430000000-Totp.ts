import { MigrationInterface, QueryRunner, Table, TableForeignKey } from 'typeorm';

/** Adds the secrets and recovery codes of the second factor. Repeatable, as MySQL commits each statement. */
export class Totp1764430000000 implements MigrationInterface {
  name = 'Totp1764430000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    for (const table of [totpSecrets(mysql), recoveryCodes(mysql)]) {
      await queryRunner.createTable(table, true);
      if (mysql)
        await queryRunner.query(
          `ALTER TABLE ${table.name} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
        );
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('recovery_codes', true);
    await queryRunner.dropTable('totp_secrets', true);
  }
}

function totpSecrets(mysql: boolean): Table {
  return new Table({
    name: 'totp_secrets',
    engine: 'InnoDB',
    columns: [
      { name: 'user_id', type: mysql ? 'bigint' : 'integer', isPrimary: true },
      { name: 'encrypted_secret', type: 'varchar', length: '255' },
      { name: 'used_steps', type: 'varchar', length: '64', default: "''" },
    ],
    foreignKeys: [ofUser('fk_totp_secrets_user_id')],
  });
}

function recoveryCodes(mysql: boolean): Table {
  return new Table({
    name: 'recovery_codes',
    engine: 'InnoDB',
    columns: [
      { name: 'user_id', type: mysql ? 'bigint' : 'integer', isPrimary: true },
      { name: 'code_hash', type: 'varchar', length: '64', isPrimary: true },
    ],
    foreignKeys: [ofUser('fk_recovery_codes_user_id')],
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
