import { MigrationInterface, QueryRunner, Table, TableColumnOptions } from 'typeorm';

/**
 * The same schema on SQLite and on MySQL, through TypeORM's Table API. Repeatable, as MySQL commits each statement: what
 * a start that was cut off has made is kept.
 */
export class InitialSchema1760000000000 implements MigrationInterface {
  name = 'InitialSchema1760000000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    const mysql = isMysql(queryRunner);
    for (const table of tables(columnTypes(mysql))) {
      if (await queryRunner.hasTable(table.name)) await refuseForeign(queryRunner, table);
      else await queryRunner.createTable(table);
      // Binary order: keys compare alike on both databases, and no collation merges what differs.
      if (mysql) {
        await queryRunner.query(
          `ALTER TABLE \`${table.name}\` CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
        );
      }
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const names = tables(columnTypes(isMysql(queryRunner))).map((table) => table.name);
    for (const name of names.reverse()) await queryRunner.dropTable(name, true);
  }
}

/** @throws where the table belongs to another program */
async function refuseForeign(queryRunner: QueryRunner, { name, columns }: Table): Promise<void> {
  const existing = await queryRunner.getTable(name);
  const namesOf = (of: { name: string }[]) => of.map((column) => column.name).sort();
  if (String(namesOf(existing?.columns ?? [])) === String(namesOf(columns))) return;
  throw new Error(`The table ${name} exists and is not Parley's: give Parley a database of its own.`);
}

function isMysql(queryRunner: QueryRunner): boolean {
  return queryRunner.dataSource.options.type !== 'better-sqlite3';
}

type Column = Omit<TableColumnOptions, 'name'>;
type Types = ReturnType<typeof columnTypes>;

function columnTypes(mysql: boolean) {
  const id = mysql ? 'bigint' : 'integer';
  return {
    primary: {
      type: id,
      isPrimary: true,
      isGenerated: true,
      generationStrategy: 'increment',
    } satisfies Column,
    id: { type: id } satisfies Column,
    int: { type: mysql ? 'int' : 'integer' } satisfies Column,
    counter: { type: mysql ? 'int' : 'integer', default: 0 } satisfies Column,
    text: { type: mysql ? 'longtext' : 'text' } satisfies Column,
    time: { type: 'datetime', precision: 3 } satisfies Column,
    boolean: { type: mysql ? 'tinyint' : 'boolean' } satisfies Column,
    string: (length: number): Column => ({ type: 'varchar', length: String(length) }),
  };
}

const nullable = (column: Column): Column => ({ ...column, isNullable: true });

function table(
  name: string,
  columns: Record<string, Column>,
  indices: Record<string, string[]> = {},
  parents: Record<string, [table: string, onDelete: string]> = {},
): Table {
  return new Table({
    name,
    engine: 'InnoDB',
    columns: Object.entries(columns).map(([column, options]) => ({ name: column, ...options })),
    indices: Object.entries(indices).map(([index, columnNames]) => ({
      name: index,
      columnNames,
      isUnique: index.startsWith('uq_'),
    })),
    foreignKeys: Object.entries(parents).map(([column, [parent, onDelete]]) => ({
      name: `fk_${name}_${column}`,
      columnNames: [column],
      referencedTableName: parent,
      referencedColumnNames: ['id'],
      onDelete,
      onUpdate: 'NO ACTION',
    })),
  });
}

function tables(t: Types): Table[] {
  return [
    users,
    sessions,
    refreshTokens,
    knownAddresses,
    modelConfigs,
    conversations,
    messages,
    replyChunks,
    nodes,
  ].map((make) => make(t));
}

function users(t: Types): Table {
  return table(
    'users',
    {
      id: t.primary,
      username: t.string(50),
      username_key: t.string(255),
      email: t.string(255),
      password_hash: t.string(255),
      default_config_id: nullable(t.id),
      conversation_count: t.counter,
      archived_count: t.counter,
      created_at: t.time,
    },
    { uq_users_username_key: ['username_key'], uq_users_email: ['email'] },
  );
}

function sessions(t: Types): Table {
  return table(
    'sessions',
    {
      id: t.primary,
      user_id: t.id,
      created_at: t.time,
      last_used_at: t.time,
      expires_at: t.time,
      ip: t.string(45),
      user_agent: t.string(255),
    },
    { ix_sessions_user_id: ['user_id'] },
    { user_id: ['users', 'CASCADE'] },
  );
}

function refreshTokens(t: Types): Table {
  return table(
    'refresh_tokens',
    {
      id: t.primary,
      session_id: t.id,
      token_hash: t.string(64),
      expires_at: t.time,
      used_at: nullable(t.time),
      sealed_successor: nullable(t.string(255)),
    },
    { ix_refresh_tokens_session_id: ['session_id'], uq_refresh_tokens_token_hash: ['token_hash'] },
    { session_id: ['sessions', 'CASCADE'] },
  );
}

function knownAddresses(t: Types): Table {
  return table(
    'known_addresses',
    {
      user_id: { ...t.id, isPrimary: true },
      address: { ...t.string(64), isPrimary: true },
      last_login_at: t.time,
    },
    {},
    { user_id: ['users', 'CASCADE'] },
  );
}

function modelConfigs(t: Types): Table {
  return table(
    'model_configs',
    {
      id: t.primary,
      user_id: t.id,
      name: t.string(200),
      model_url: t.string(2048),
      model_name: t.string(200),
      encrypted_api_key: t.text,
      context_tokens: t.int,
      params: t.text,
      created_at: t.time,
      updated_at: t.time,
    },
    { ix_model_configs_user_id: ['user_id'] },
    { user_id: ['users', 'CASCADE'] },
  );
}

function conversations(t: Types): Table {
  return table(
    'conversations',
    {
      id: t.primary,
      user_id: t.id,
      title: t.string(200),
      title_source: t.string(10),
      config_id: nullable(t.id),
      system_prompt: nullable(t.text),
      params: t.text,
      pinned: t.boolean,
      archived: t.boolean,
      message_count: t.int,
      active_message_id: nullable(t.id),
      created_at: t.time,
      updated_at: t.time,
    },
    {
      ix_conversations_list: ['user_id', 'archived', 'pinned', 'updated_at', 'id'],
      ix_conversations_config_id: ['config_id'],
    },
    { user_id: ['users', 'CASCADE'], config_id: ['model_configs', 'SET NULL'] },
  );
}

function messages(t: Types): Table {
  return table(
    'messages',
    {
      id: t.primary,
      conversation_id: t.id,
      user_id: t.id,
      parent_id: nullable(t.id),
      active: t.boolean,
      role: t.string(10),
      content: t.text,
      reasoning: t.text,
      status: t.string(12),
      streaming_in: nullable(t.id),
      node_id: nullable(t.string(36)),
      attempt: t.int,
      finish_reason: nullable(t.string(64)),
      error_code: nullable(t.string(64)),
      error_detail: nullable(t.text),
      config_id: nullable(t.id),
      model_name: nullable(t.string(200)),
      prompt_tokens: nullable(t.int),
      completion_tokens: nullable(t.int),
      total_tokens: nullable(t.int),
      usage_estimated: nullable(t.boolean),
      client_message_id: nullable(t.string(36)),
      created_at: t.time,
      completed_at: nullable(t.time),
    },
    {
      ix_messages_conversation_id: ['conversation_id'],
      ix_messages_user_id: ['user_id'],
      ix_messages_branch: ['conversation_id', 'active', 'id'],
      ix_messages_siblings: ['conversation_id', 'parent_id', 'id'],
      uq_messages_client_message_id: ['conversation_id', 'client_message_id'],
      uq_messages_streaming_in: ['streaming_in'],
    },
    { conversation_id: ['conversations', 'CASCADE'] },
  );
}

function replyChunks(t: Types): Table {
  return table('reply_chunks', {
    message_id: { ...t.id, isPrimary: true },
    seq: { ...t.int, isPrimary: true },
    part: t.string(10),
    text: t.text,
  });
}

function nodes(t: Types): Table {
  return table('nodes', { id: { ...t.string(36), isPrimary: true }, beat: t.int });
}
