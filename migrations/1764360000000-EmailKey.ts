import { isEmail } from 'class-validator';
import { domainToASCII, domainToUnicode } from 'node:url';
import { MigrationInterface, QueryRunner, TableIndex } from 'typeorm';

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

// Copies of what src/ had at the time: a migration does the same for ever.

const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb\u{1d159}\u{13441}\u{13442}]/gu;
const ASCII = /^[\0-\x7f]*$/;
const DOTTED_I = 'i\u0307';
const DOMAIN = /^[a-z0-9.\-\u0080-\u{10ffff}]+$/u;
const QUOTED = /^"(.*)"$/u;
const DOT_ATOM = /^[^\s"(),:;<>@[\]\\.]+(\.[^\s"(),:;<>@[\]\\.]+)*$/u;

export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  const lower = normalize(text).toLowerCase().toUpperCase().toLowerCase();
  return lower.replaceAll('ς', 'σ').replaceAll(DOTTED_I, 'i').normalize('NFKC');
}

const normalize = (text: string) => text.normalize('NFKC').replace(INVISIBLE, '');

function emailKey(email: string): string | null {
  const text = normalize(email);
  const at = text.lastIndexOf('@');
  const key = `${localKey(text.slice(0, Math.max(at, 0)))}@${domainKey(text.slice(at + 1))}`;
  return isEmail(key) ? key : null;
}

const exactEmailKey = (email: string) => ` ${email}`;

function localKey(local: string): string {
  const quoted = QUOTED.exec(local)?.[1]?.replace(/\\(.)/gu, '$1');
  return foldText(quoted !== undefined && DOT_ATOM.test(quoted) ? quoted : local);
}

function domainKey(domain: string): string {
  const name = lowerCase(domain.replace(/\.$/, ''));
  return DOMAIN.test(name) ? domainToASCII(lowerCase(normalize(domainToUnicode(name)))) : '';
}

function lowerCase(domain: string): string {
  const labels = domain.split(/[.。]/u).map((label) => label.toLowerCase());
  return labels.join('.').replaceAll(DOTTED_I, 'i');
}
