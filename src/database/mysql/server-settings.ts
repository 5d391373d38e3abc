import type { DataSource } from 'typeorm';

/** Wait for a row lock. MySQL's default is 50 s; it checks once a second, so a wait can last one second longer. */
const LOCK_WAIT_SECONDS = 1;
/** Wait for a table lock, or for a server that a backup has locked. */
const TABLE_WAIT_SECONDS = 1;
/** Bytes of the largest value: a reply has up to 10 MiB. MariaDB's default; MySQL's is larger. */
const MIN_PACKET_BYTES = 16 * 1024 * 1024;
/** Variables that change the meaning, the commit or the reach of statements. Servers may have any defaults. */
const SESSION_VARIABLES = [
  'NAMES utf8mb4 COLLATE utf8mb4_bin',
  "sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
  'autocommit = 1',
  "completion_type = 'NO_CHAIN'",
  "time_zone = '+00:00'",
  'foreign_key_checks = 1',
  'unique_checks = 1',
  'sql_auto_is_null = 0',
  'sql_safe_updates = 0',
  'sql_big_selects = 1',
  'sql_select_limit = 18446744073709551615',
  'default_storage_engine = InnoDB',
  `innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
  `lock_wait_timeout = ${TABLE_WAIT_SECONDS}`,
];

/** Statements to run on each new connection. */
export const SESSION_SETTINGS = [
  `SET ${SESSION_VARIABLES.join(', ')}`,
  // Statements read what other connections have just committed, as on SQLite. TypeORM's own option would add a
  // statement to each transaction.
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/** @throws an Error for the operator if long replies could not be stored */
export async function refuseSmallPackets(dataSource: DataSource): Promise<void> {
  const [row] = await dataSource.query<{ bytes: number }[]>('SELECT @@max_allowed_packet AS bytes');
  if (row!.bytes >= MIN_PACKET_BYTES) return;
  throw new Error(
    `The database's max_allowed_packet is ${row!.bytes} bytes, but must be ${MIN_PACKET_BYTES} or more.`,
  );
}
