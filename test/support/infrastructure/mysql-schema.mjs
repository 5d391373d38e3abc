/**
 * Jest's global setup. Migrates one database of TEST_MYSQL_URL and passes its tables on as SQL, because creating them
 * takes a sixth of the time of the migrations. An outdated build is no harm: the app runs the migrations that are missing.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';

export default async function readSchema() {
  const server = process.env.TEST_MYSQL_URL?.replace(/\/$/, '');
  if (!server) return;
  const name = `parley_test_schema_${process.pid}`;
  const connection = await createConnection(server.replace(/^mariadb:/, 'mysql:'));
  await connection.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  try {
    await migrate(`${server}/${name}`);
    await connection.query(`USE ${name}`);
    process.env.TEST_MYSQL_SCHEMA = (await statements(connection)).join(';\n');
  } finally {
    await connection.query(`DROP DATABASE ${name}`);
    await connection.end();
  }
}

async function migrate(url) {
  const folder = await mkdtemp(join(tmpdir(), 'parley-schema-'));
  const env = { ...process.env, NODE_ENV: 'test', DATABASE_URL: url, DATA_DIR: folder };
  const args = ['node_modules/typeorm/cli.js', 'migration:run', '-d', 'dist/ormconfig.js'];
  await promisify(execFile)(process.execPath, args, { env });
  await rm(folder, { recursive: true });
}

/** The tables, the names of the migrations, and an id for each copy. */
async function statements(connection) {
  const [tables] = await connection.query('SHOW TABLES');
  const created = [];
  for (const table of tables.map((row) => Object.values(row)[0])) {
    const [[row]] = await connection.query(`SHOW CREATE TABLE ${table}`);
    created.push(row['Create Table'].replace(/ AUTO_INCREMENT=\d+/, ''));
  }
  const [migrations] = await connection.query('SELECT timestamp, name FROM migrations ORDER BY id');
  const values = migrations.map(({ timestamp, name }) => `(${Number(timestamp)}, '${name}')`);
  return [
    'SET FOREIGN_KEY_CHECKS = 0',
    ...created,
    `INSERT INTO migrations (timestamp, name) VALUES ${values.join(', ')}`,
    'INSERT INTO deployment (id) VALUES (UUID())',
  ];
}
