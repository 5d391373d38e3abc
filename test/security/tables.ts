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

/** Like {@link readTables}, without what any request may change: last use of sessions, nodes and the audit trail. */
export async function readLastingState(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const { nodes: _, audit_events: __, sessions = [], ...others } = await readTables(dataSource);
  return { ...others, sessions: sessions.map(({ last_used_at: _, ...session }) => session) };
}
