import { MigrationInterface, QueryRunner } from 'typeorm';

/** Adds roles, verified addresses and disabled accounts, and makes the email and the password optional. */
export class Accounts1764410000000 implements MigrationInterface {
  name = 'Accounts1764410000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const [column, type] of columns(queryRunner)) {
      // TypeORM's addColumn copies the whole table on SQLite.
      if (!(await queryRunner.hasColumn('users', column)))
        await queryRunner.query(`ALTER TABLE users ADD COLUMN ${column} ${type}`);
    }
    await setNullable(queryRunner, 'NULL');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const [row]: { n: number | string }[] = await queryRunner.query(
      'SELECT COUNT(*) AS n FROM users WHERE email IS NULL OR password_hash IS NULL',
    );
    if (Number(row!.n) > 0)
      throw new Error(`${row!.n} users have no email or no password, which the older schema requires.`);
    await setNullable(queryRunner, 'NOT NULL');
    for (const [column] of columns(queryRunner))
      await queryRunner.query(`ALTER TABLE users DROP COLUMN ${column}`);
  }
}

const isSqlite = ({ dataSource }: QueryRunner) => dataSource.options.type === 'better-sqlite3';

function columns(queryRunner: QueryRunner): [name: string, type: string][] {
  const boolean = isSqlite(queryRunner) ? 'boolean NOT NULL DEFAULT 0' : 'tinyint NOT NULL DEFAULT 0';
  return [
    ['email_verified', boolean],
    ['second_factor', boolean],
    ['role', "varchar(16) NOT NULL DEFAULT 'user'"],
    ['disabled_at', 'datetime(3)'],
  ];
}

async function setNullable(queryRunner: QueryRunner, nullability: 'NULL' | 'NOT NULL'): Promise<void> {
  if (isSqlite(queryRunner)) return replaceColumns(queryRunner, nullability);
  const type = `varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ${nullability}`;
  await queryRunner.query(`ALTER TABLE users MODIFY email ${type}, MODIFY password_hash ${type}`);
}

/** SQLite cannot alter a column, and dropping the table would delete all that refers to it by cascade. */
async function replaceColumns(queryRunner: QueryRunner, nullability: 'NULL' | 'NOT NULL'): Promise<void> {
  const type = nullability === 'NULL' ? 'varchar(255)' : "varchar(255) NOT NULL DEFAULT ''";
  await queryRunner.query('DROP INDEX uq_users_email');
  for (const column of ['email', 'password_hash']) {
    await queryRunner.query(`ALTER TABLE users ADD COLUMN new_${column} ${type}`);
    await queryRunner.query(`UPDATE users SET new_${column} = ${column}`);
    await queryRunner.query(`ALTER TABLE users DROP COLUMN ${column}`);
    await queryRunner.query(`ALTER TABLE users RENAME COLUMN new_${column} TO ${column}`);
  }
  await queryRunner.query('CREATE UNIQUE INDEX uq_users_email ON users (email)');
}
