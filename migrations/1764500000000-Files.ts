import { MigrationInterface, QueryRunner, Table, TableForeignKey } from 'typeorm';

const TIME = { type: 'datetime', precision: 3 };

/** Adds files, their bytes and their use in messages. Repeatable, as MySQL commits each statement. */
export class Files1764500000000 implements MigrationInterface {
  name = 'Files1764500000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    for (const table of [fileBlobs(mysql), files(mysql), messageFiles(mysql)]) {
      if (await queryRunner.hasTable(table.name)) continue;
      await queryRunner.createTable(table);
    }
    if (mysql) await convertToBinary(queryRunner);
    if (!(await queryRunner.hasColumn('users', 'bytes_used')))
      await queryRunner.query(
        `ALTER TABLE users ADD COLUMN bytes_used ${mysql ? 'bigint' : 'integer'} NOT NULL DEFAULT 0`,
      );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    for (const table of ['message_files', 'files', 'file_blobs']) await queryRunner.dropTable(table, true);
    await queryRunner.query('ALTER TABLE users DROP COLUMN bytes_used');
  }
}

/** Foreign keys of other tables refer to no text column, so that MySQL converts each table alone. */
async function convertToBinary(queryRunner: QueryRunner): Promise<void> {
  for (const table of ['file_blobs', 'files', 'message_files'])
    await queryRunner.query(`ALTER TABLE ${table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
}

const idType = (mysql: boolean) => ({ type: mysql ? 'bigint' : 'integer' });
const primaryKey = (mysql: boolean) =>
  ({
    name: 'id',
    ...idType(mysql),
    isPrimary: true,
    isGenerated: true,
    generationStrategy: 'increment',
  }) as const;

function fileBlobs(mysql: boolean): Table {
  return new Table({
    name: 'file_blobs',
    engine: 'InnoDB',
    columns: [
      primaryKey(mysql),
      { name: 'user_id', ...idType(mysql) },
      { name: 'sha256', type: 'varchar', length: '64', isNullable: true },
      { name: 'storage_key', type: 'varchar', length: '64' },
      { name: 'text', type: mysql ? 'longtext' : 'text', isNullable: true },
      { name: 'scaled_blob_id', ...idType(mysql), isNullable: true },
      { name: 'delete_at', ...TIME, isNullable: true },
    ],
    indices: [
      { name: 'uq_file_blobs_sha256', columnNames: ['user_id', 'sha256'], isUnique: true },
      { name: 'ix_file_blobs_delete_at', columnNames: ['delete_at'] },
    ],
  });
}

function files(mysql: boolean): Table {
  return new Table({
    name: 'files',
    engine: 'InnoDB',
    columns: [
      primaryKey(mysql),
      { name: 'user_id', ...idType(mysql) },
      { name: 'blob_id', ...idType(mysql), isNullable: true },
      { name: 'name', type: 'varchar', length: '255' },
      { name: 'mime_type', type: 'varchar', length: '100' },
      { name: 'bytes', type: mysql ? 'int' : 'integer' },
      { name: 'sha256', type: 'varchar', length: '64' },
      { name: 'width', type: mysql ? 'int' : 'integer', isNullable: true },
      { name: 'height', type: mysql ? 'int' : 'integer', isNullable: true },
      { name: 'deleted_at', ...TIME, isNullable: true },
      { name: 'expires_at', ...TIME, isNullable: true },
      { name: 'created_at', ...TIME },
    ],
    indices: [
      { name: 'ix_files_user_id', columnNames: ['user_id', 'id'] },
      { name: 'ix_files_blob_id', columnNames: ['blob_id'] },
      { name: 'ix_files_expires_at', columnNames: ['expires_at'] },
    ],
    foreignKeys: [
      reference('files', 'user_id', 'users', 'CASCADE'),
      reference('files', 'blob_id', 'file_blobs', 'NO ACTION'),
    ],
  });
}

function messageFiles(mysql: boolean): Table {
  return new Table({
    name: 'message_files',
    engine: 'InnoDB',
    columns: [
      { name: 'message_id', ...idType(mysql), isPrimary: true },
      { name: 'position', type: mysql ? 'int' : 'integer', isPrimary: true },
      { name: 'file_id', ...idType(mysql) },
      { name: 'conversation_id', ...idType(mysql) },
    ],
    indices: [
      { name: 'ix_message_files_file_id', columnNames: ['file_id'] },
      { name: 'ix_message_files_conversation_id', columnNames: ['conversation_id', 'file_id'] },
    ],
    foreignKeys: [
      reference('message_files', 'message_id', 'messages', 'CASCADE'),
      reference('message_files', 'file_id', 'files', 'CASCADE'),
    ],
  });
}

function reference(table: string, column: string, referenced: string, onDelete: string): TableForeignKey {
  return new TableForeignKey({
    name: `fk_${table}_${column}`,
    columnNames: [column],
    referencedTableName: referenced,
    referencedColumnNames: ['id'],
    onDelete,
    onUpdate: 'NO ACTION',
  });
}
