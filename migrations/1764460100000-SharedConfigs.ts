import { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets a configuration belong to no user: to the operator, who shares it with all. */
export class SharedConfigs1764460100000 implements MigrationInterface {
  name = 'SharedConfigs1764460100000';

  async up(queryRunner: QueryRunner): Promise<void> {
    if (isSqlite(queryRunner)) await rebuild(queryRunner);
    else await queryRunner.query('ALTER TABLE model_configs MODIFY user_id bigint NULL');
    for (const [column, type] of columns(queryRunner)) {
      if (!(await queryRunner.hasColumn('model_configs', column)))
        await queryRunner.query(`ALTER TABLE model_configs ADD COLUMN ${column} ${type}`);
    }
    const table = await queryRunner.getTable('model_configs');
    if (!table!.indices.some(({ name }) => name === 'uq_model_configs_shared_default'))
      await queryRunner.query(
        'CREATE UNIQUE INDEX uq_model_configs_shared_default ON model_configs (shared_default)',
      );
  }

  /** Leaves the owner optional on SQLite, which cannot alter a column. */
  async down(queryRunner: QueryRunner): Promise<void> {
    const [row]: { n: number | string }[] = await queryRunner.query(
      'SELECT COUNT(*) AS n FROM model_configs WHERE user_id IS NULL',
    );
    if (Number(row!.n) > 0)
      throw new Error(`${row!.n} configurations are shared, which the older schema does not allow.`);
    const onTable = isSqlite(queryRunner) ? '' : ' ON model_configs';
    await queryRunner.query(`DROP INDEX uq_model_configs_shared_default${onTable}`);
    for (const [column] of columns(queryRunner))
      await queryRunner.query(`ALTER TABLE model_configs DROP COLUMN ${column}`);
    if (!isSqlite(queryRunner))
      await queryRunner.query('ALTER TABLE model_configs MODIFY user_id bigint NOT NULL');
  }
}

const isSqlite = ({ dataSource }: QueryRunner) => dataSource.options.type === 'better-sqlite3';

function columns(queryRunner: QueryRunner): [name: string, type: string][] {
  const sqlite = isSqlite(queryRunner);
  return [
    ['enabled', `${sqlite ? 'boolean' : 'tinyint'} NOT NULL DEFAULT 1`],
    ['daily_tokens_per_user', sqlite ? 'integer' : 'bigint'],
    ['shared_default', 'tinyint'],
  ];
}

/** Replaces the table by a copy whose owner is optional (https://www.sqlite.org/lang_altertable.html#otheralter). */
async function rebuild(queryRunner: QueryRunner): Promise<void> {
  const [table]: { sql: string }[] = await queryRunner.query(
    "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'model_configs'",
  );
  const owner = '"user_id" integer NOT NULL';
  if (!table!.sql.includes(owner)) return;
  const [pragma]: { foreign_keys: number }[] = await queryRunner.query('PRAGMA foreign_keys');
  if (pragma!.foreign_keys)
    throw new Error('Foreign keys must be off, as dropping a table clears references to it.');
  const [sequence]: { seq: number }[] = await queryRunner.query(
    "SELECT seq FROM sqlite_sequence WHERE name = 'model_configs'",
  );
  const copy = table!.sql
    .replace('"model_configs"', '"new_model_configs"')
    .replace(owner, '"user_id" integer');
  await queryRunner.query(copy);
  await queryRunner.query('INSERT INTO new_model_configs SELECT * FROM model_configs');
  await queryRunner.query('DROP TABLE model_configs');
  // An id that was used before, and is named by usage and messages, is never given to another configuration.
  await queryRunner.query("DELETE FROM sqlite_sequence WHERE name IN ('model_configs', 'new_model_configs')");
  await queryRunner.query('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', [
    'new_model_configs',
    sequence?.seq ?? 0,
  ]);
  await queryRunner.query('ALTER TABLE new_model_configs RENAME TO model_configs');
  await queryRunner.query('CREATE INDEX ix_model_configs_user_id ON model_configs (user_id)');
}
