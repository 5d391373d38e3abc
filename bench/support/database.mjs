import { DatabaseSync } from '@photostructure/sqlite';
import { createConnection } from 'mysql2/promise';

/** Parley's database, to insert more rows than the API could in reasonable time. */
export async function openDatabase(url) {
  return url.startsWith('sqlite:') ? new Sqlite(url.slice('sqlite:'.length)) : Mysql.open(url);
}

class Sqlite {
  constructor(path) {
    this.database = new DatabaseSync(path, { timeout: 5000 });
  }

  async query(sql, values = []) {
    return this.database.prepare(sql).all(...values);
  }

  /** Trades durability for speed. */
  async hasten() {
    this.database.exec('PRAGMA synchronous = OFF');
  }

  async end() {
    this.database.close();
  }
}

class Mysql {
  static async open(url) {
    return Object.assign(new Mysql(), { connection: await createConnection({ uri: url, timezone: 'Z' }) });
  }

  async query(sql, values = []) {
    const [rows] = await this.connection.query(sql, values);
    return rows;
  }

  /** Disables the binary log and constraint checks while inserting. */
  async hasten() {
    await this.connection.query(
      'SET SESSION sql_log_bin = 0, SESSION unique_checks = 0, SESSION foreign_key_checks = 0',
    );
  }

  async end() {
    await this.connection.end();
  }
}

/** Creates a database on the URL's server; replaces an older one. */
export async function createDatabase(server, name) {
  const connection = await createConnection(server);
  await connection.query(`DROP DATABASE IF EXISTS ${name}`);
  await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  await connection.end();
  return `${server.replace(/\/$/, '')}/${name}`;
}

export async function dropDatabase(server, name) {
  const connection = await createConnection(server);
  await connection.query(`DROP DATABASE IF EXISTS ${name}`);
  await connection.end();
}

/** Inserts rows, as many per statement as both databases accept. */
export async function insert(database, table, rows) {
  const columns = Object.keys(rows[0]);
  for (let i = 0; i < rows.length; i += 1000) {
    const some = rows.slice(i, i + 1000);
    const places = some.map(() => `(${columns.map(() => '?').join(',')})`).join(',');
    const values = some.flatMap((row) => columns.map((column) => row[column]));
    await database.query(`INSERT INTO ${table} (${columns.join(',')}) VALUES ${places}`, values);
  }
}
