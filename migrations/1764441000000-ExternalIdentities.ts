import { MigrationInterface, QueryRunner, Table } from 'typeorm';

/** Adds the accounts at OpenID providers that sign users in. Repeatable, as MySQL commits each statement. */
export class ExternalIdentities1764441000000 implements MigrationInterface {
  name = 'ExternalIdentities1764441000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(externalIdentities(mysql), true);
    if (mysql)
      await queryRunner.query(
        'ALTER TABLE external_identities CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
      );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('external_identities', true);
  }
}

function externalIdentities(mysql: boolean): Table {
  const id = { type: mysql ? 'bigint' : 'integer' };
  return new Table({
    name: 'external_identities',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
      { name: 'user_id', ...id },
      { name: 'identity_key', type: 'varchar', length: '64' },
      { name: 'issuer', type: 'varchar', length: '255' },
      { name: 'subject', type: 'varchar', length: '255' },
      { name: 'created_at', type: 'datetime', precision: 3 },
    ],
    indices: [
      { name: 'uq_external_identities_identity_key', columnNames: ['identity_key'], isUnique: true },
      { name: 'ix_external_identities_user_id', columnNames: ['user_id'] },
    ],
    foreignKeys: [
      {
        name: 'fk_external_identities_user_id',
        columnNames: ['user_id'],
        referencedTableName: 'users',
        referencedColumnNames: ['id'],
        onDelete: 'CASCADE',
        onUpdate: 'NO ACTION',
      },
    ],
  });
}
