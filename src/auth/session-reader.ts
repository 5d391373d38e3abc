import { DataSource, EntityMetadata } from 'typeorm';
import { Session } from './session.entity.js';
import { User } from './user.entity.js';

export interface SessionWithUser {
  session: Session;
  user: User;
}

type Row = Record<string, unknown>;

/**
 * Reads a session and its user in one indexed query. It runs on every request, so it goes around TypeORM's query
 * builder, which costs more than all else that authentication does.
 */
export class SessionReader {
  private readonly sessions: EntityMetadata;
  private readonly users: EntityMetadata;
  private readonly sql: string;

  constructor(private readonly dataSource: DataSource) {
    this.sessions = dataSource.getMetadata(Session);
    this.users = dataSource.getMetadata(User);
    const columns = [...columnList(this.sessions, 's'), ...columnList(this.users, 'u')];
    this.sql = `SELECT ${columns.join(', ')} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`;
  }

  async find(sessionId: number): Promise<SessionWithUser | null> {
    const [row] = await this.dataSource.query<Row[]>(this.sql, [sessionId]);
    if (!row) return null;
    const session = Object.assign(new Session(), this.hydrate(this.sessions, 's', row));
    return { session, user: Object.assign(new User(), this.hydrate(this.users, 'u', row)) };
  }

  private hydrate(metadata: EntityMetadata, prefix: string, row: Row): Row {
    const entity: Row = {};
    for (const column of metadata.columns) {
      const value = row[`${prefix}_${column.databaseName}`];
      entity[column.propertyName] = this.dataSource.driver.prepareHydratedValue(value, column);
    }
    return entity;
  }
}

function columnList(metadata: EntityMetadata, prefix: string): string[] {
  return metadata.columns.map(({ databaseName }) => `${prefix}.${databaseName} AS ${prefix}_${databaseName}`);
}
