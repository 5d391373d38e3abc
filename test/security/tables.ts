import type { DataSource } from 'typeorm';

type Row = Record<string, unknown>;

/** Everything that is stored, table by table, in the order of its keys. */
export async function readTables(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const tables: Record<string, Row[]> = {};
  for (const { tableName, primaryColumns } of dataSource.entityMetadatas) {
    const keys = primaryColumns.map(({ databaseName }) => databaseName).join(', ');
    tables[tableName] = await dataSource.query<Row[]>(`SELECT * FROM ${tableName} ORDER BY ${keys}`);
  }
  return tables;
}

/** What is stored, but for what a request that does nothing may change: when a session was last used, and who runs. */
export async function readLastingState(dataSource: DataSource): Promise<Record<string, Row[]>> {
  const { nodes: _, sessions = [], ...others } = await readTables(dataSource);
  return { ...others, sessions: sessions.map(({ last_used_at: _, ...session }) => session) };
}
