/** Codes of Node and mysql2 for an unreachable server or a closed connection. */
const CONNECTION_CODES =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|PROTOCOL_\w+|POOL_CLOSED)$/;

/**
 * Errors of MySQL and MariaDB that refuse all writes: read_only (1290), a read-only transaction (1792),
 * innodb_read_only (1836, 1874), a global read lock (1223), a read-only table or schema (1036, 3989), a group
 * replication member without a quorum (3100), a statement-based binary log (1665).
 */
const READ_ONLY_ERRNOS = new Set([1036, 1223, 1290, 1665, 1792, 1836, 1874, 3100, 3989]);

/** Errors of a server that temporarily cannot run valid statements. On connecting, mysql2 marks errors as `fatal`. */
const UNAVAILABLE_ERRNOS = new Set([
  // Shutting down, offline, or not in sync with its cluster.
  ...[1047, 1053, 1077, 1079, 1080, 3032, 3168],
  // The connection or statement was ended, or the transaction lost to another one.
  ...[1152, 1158, 1159, 1160, 1161, 1180, 1184, 1205, 1213, 1317, 1927, 1969, 3024, 3101, 3169, 4031],
  // Out of connections, threads, memory, locks or disk.
  ...[3, 1021, 1026, 1030, 1037, 1038, 1040, 1041, 1114, 1135, 1203, 1206, 1226, 1598, 1637],
  // Access was revoked, or the password has expired.
  ...[1044, 1045, 1049, 1142, 1143, 1227, 1820],
]);

/** SQLite's messages for PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL and NOTADB. */
const SQLITE_MESSAGES =
  /(?:^|: )(access permission denied|database (table |schema )?is locked|out of memory|attempt to write a readonly database|disk I\/O error|database disk image is malformed|database or disk is full|unable to open database file|locking protocol|file is not a database|database is not open)/;

interface DriverError {
  code?: string;
  /** MySQL's error number. */
  errno?: number;
  /** Set by mysql2 when the connection is lost. */
  fatal?: boolean;
  message?: string;
}

/** Whether the database is unavailable, as opposed to an invalid statement. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const { code = '', errno = 0, fatal, message = '' } = driverError(error);
  return (
    fatal === true ||
    CONNECTION_CODES.test(code) ||
    READ_ONLY_ERRNOS.has(errno) ||
    UNAVAILABLE_ERRNOS.has(errno) ||
    SQLITE_MESSAGES.test(message) ||
    /closed state|Pool is closed/.test(message)
  );
}

/** Whether a MySQL server refuses all writes, such as a former primary. */
export function isReadOnly(error: unknown): boolean {
  return READ_ONLY_ERRNOS.has(driverError(error).errno ?? 0);
}

/** The driver's error in one of TypeORM's, or the error itself. */
export function driverError(error: unknown): DriverError {
  return (error as { driverError?: DriverError } | null)?.driverError ?? (error as DriverError | null) ?? {};
}
