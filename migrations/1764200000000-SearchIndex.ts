import { MigrationInterface, QueryRunner, Table, TableColumnOptions, TableForeignKeyOptions } from 'typeorm';

/**
 * Blocks of a user's messages, and which of their messages have what, for searches in long histories. Repeatable, as
 * MySQL commits each statement.
 */
export class SearchIndex1764200000000 implements MigrationInterface {
  name = 'SearchIndex1764200000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = queryRunner.dataSource.options.type !== 'better-sqlite3';
    await queryRunner.createTable(blocks(mysql), true);
    await queryRunner.createTable(bits(mysql), true);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropTable('search_bits', true);
    await queryRunner.dropTable('search_blocks', true);
  }
}

function blocks(mysql: boolean): Table {
  const { id, int, boolean, bytes } = columnTypes(mysql);
  const primary = { isPrimary: true, isGenerated: true, generationStrategy: 'increment' } as const;
  return new Table({
    name: 'search_blocks',
    engine: 'InnoDB',
    columns: [
      { name: 'id', ...id, ...primary },
      { name: 'user_id', ...id },
      { name: 'first_message_id', ...id },
      { name: 'last_message_id', ...id },
      { name: 'message_count', ...int },
      { name: 'ready', ...boolean },
      { name: 'stale', ...boolean },
      { name: 'claimed_at', type: 'datetime', precision: 3 },
      { name: 'message_ids', ...bytes },
    ],
    indices: [
      {
        name: 'uq_search_blocks_first_message_id',
        columnNames: ['user_id', 'first_message_id'],
        isUnique: true,
      },
    ],
    foreignKeys: [childOf('users', 'fk_search_blocks_user_id', 'user_id')],
  });
}

function bits(mysql: boolean): Table {
  const { id, int, bytes } = columnTypes(mysql);
  return new Table({
    name: 'search_bits',
    engine: 'InnoDB',
    columns: [
      { name: 'block_id', ...id, isPrimary: true },
      { name: 'bucket', ...int, isPrimary: true },
      { name: 'bits', ...bytes },
    ],
    foreignKeys: [childOf('search_blocks', 'fk_search_bits_block_id', 'block_id')],
  });
}

function columnTypes(mysql: boolean) {
  const column = (onMysql: string, onSqlite: string): Omit<TableColumnOptions, 'name'> => ({
    type: mysql ? onMysql : onSqlite,
  });
  return {
    id: column('bigint', 'integer'),
    int: column('int', 'integer'),
    boolean: column('tinyint', 'boolean'),
    bytes: column('longblob', 'blob'),
  };
}

function childOf(table: string, name: string, column: string): TableForeignKeyOptions {
  return {
    name,
    columnNames: [column],
    referencedTableName: table,
    referencedColumnNames: ['id'],
    onDelete: 'CASCADE',
    onUpdate: 'NO ACTION',
  };
}
