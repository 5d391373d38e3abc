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

/** Like {@link readTables}, without what changes by itself or by any request: mails being sent, nodes, audit, last use. */
export async function readLastingState(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const tables = await readTables(dataSource);
  const { nodes: _, audit_events: __, queued_mails: ___, sessions = [], ...others } = tables;
  return { ...others, sessions: sessions.map(({ last_used_at: _, ...session }) => session) };
}
