import { MigrationInterface, QueryRunner, TableIndex } from 'typeorm';
import { emailKey, exactEmailKey } from '../src/auth/email-key.js';
import { foldText } from '../src/common/fold-text.js';

const INDEX = 'uq_users_email_key';
const ROWS_A_READ = 1000;

interface UserRow {
  id: number | string;
  username: string;
  username_key: string;
  email: string;
  email_key: string | null;
}

/** Adds the key by which an email address is unique in all its spellings, and folds usernames further. */
export class EmailKey1764360000000 implements MigrationInterface {
  name = 'EmailKey1764360000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    // TypeORM's addColumn copies the whole table on SQLite.
    if (!(await queryRunner.hasColumn('users', 'email_key')))
      await queryRunner.query('ALTER TABLE users ADD COLUMN email_key varchar(320)');
    const table = await queryRunner.getTable('users');
    if (!table!.indices.some(({ name }) => name === INDEX)) await queryRunner.createIndex('users', UNIQUE);
    await queryRunner.query(`UPDATE users SET email_key = email WHERE email_key IS NULL
      AND ${isAscii(queryRunner, 'email')} AND email NOT LIKE '"%' AND email NOT LIKE '%xn--%'`);
    await this.foldRest(queryRunner);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.dropIndex('users', INDEX);
    await queryRunner.query('ALTER TABLE users DROP COLUMN email_key');
  }

  /** Only the rows whose keys take more than lower case. */
  private async foldRest(queryRunner: QueryRunner): Promise<void> {
    const rest = `(email_key IS NULL OR NOT ${isAscii(queryRunner, 'username')})`;
    const sql = `SELECT id, username, username_key, email, email_key FROM users
      WHERE id > ? AND ${rest} ORDER BY id LIMIT ${ROWS_A_READ}`;
    for (let after = 0; ;) {
      const users: UserRow[] = await queryRunner.query(sql, [after]);
      for (const user of users) await fold(queryRunner, user);
      if (users.length < ROWS_A_READ) return;
      after = Number(users.at(-1)!.id);
    }
  }
}

const UNIQUE = new TableIndex({ name: INDEX, columnNames: ['email_key'], isUnique: true });

/** Of two accounts with the same key, the one that comes first gets it; the other keeps what it is found by today. */
async function fold(queryRunner: QueryRunner, user: UserRow): Promise<void> {
  const username = foldText(user.username);
  if (username !== user.username_key && !(await isTaken(queryRunner, 'username_key', username)))
    await queryRunner.query('UPDATE users SET username_key = ? WHERE id = ?', [username, user.id]);
  if (user.email_key !== null) return;
  const key = emailKey(user.email);
  const free = key !== null && !(await isTaken(queryRunner, 'email_key', key));
  const email = free ? key : exactEmailKey(user.email);
  await queryRunner.query('UPDATE users SET email_key = ? WHERE id = ?', [email, user.id]);
}

async function isTaken(queryRunner: QueryRunner, column: string, key: string): Promise<boolean> {
  const rows: unknown[] = await queryRunner.query(`SELECT id FROM users WHERE ${column} = ?`, [key]);
  return rows.length > 0;
}

function isAscii({ dataSource }: QueryRunner, column: string): string {
  const sqlite = dataSource.options.type === 'better-sqlite3';
  return sqlite
    ? `LENGTH(CAST(${column} AS BLOB)) = LENGTH(${column})`
    : `LENGTH(${column}) = CHAR_LENGTH(${column})`;
}
