import type { DataSource } from 'typeorm';

type Row = Record<string, unknown>;

/** @returns the rows of every table, ordered by key */
export async function readTables(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const tables: Record<string, Row[]> = {};
  for (const { tableName, primaryColumns } of dataSource.entityMetadatas) {
    const keys = primaryColumns.map(({ databaseName }) => databaseName).join(', ');
    tables[tableName] = await dataSource.query<Row[]>(`SELECT * FROM ${tableName} ORDER BY ${keys}`);
  }
  return tables;
}

/**
 * Like {@link readTables}, without what any request or the server itself may change: last use of sessions, nodes, the
 * audit trail, and stored bytes that the sweep is to delete.
 */
export async function readLastingState(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const tables = await readTables(dataSource);
  const { nodes: _, audit_events: __, sessions = [], file_blobs = [], ...others } = tables;
  return {
    ...others,
    file_blobs: file_blobs.filter(({ delete_at }) => delete_at === null),
    sessions: sessions.map(({ last_used_at: _, ...session }) => session),
  };
}
