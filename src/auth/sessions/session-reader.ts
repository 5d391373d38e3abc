import { DataSource } from 'typeorm';
import { RawEntityQuery, type Row } from '../../database/raw-entity-query.js';
import { Session } from './session.entity.js';
import { User } from '../users/user.entity.js';

export interface SessionWithUser {
  session: Session;
  user: User;
}

/** Reads a session and its user in one indexed query. Raw SQL, because every request runs it. */
export class SessionReader {
  private readonly sessions: RawEntityQuery<Session>;
  private readonly users: RawEntityQuery<User>;
  private readonly sql: string;

  constructor(private readonly dataSource: DataSource) {
    this.sessions = new RawEntityQuery(dataSource, Session, 's');
    this.users = new RawEntityQuery(dataSource, User, 'u');
    const columns = `${this.sessions.columns}, ${this.users.columns}`;
    this.sql = `SELECT ${columns} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ?`;
  }

  async find(sessionId: number): Promise<SessionWithUser | null> {
    const [row] = await this.dataSource.query<Row[]>(this.sql, [sessionId]);
    return row ? { session: this.sessions.read(row), user: this.users.read(row) } : null;
  }
}
