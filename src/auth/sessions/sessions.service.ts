import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import {
  DataSource,
  EntityManager,
  FindOptionsWhere,
  In,
  IsNull,
  LessThan,
  MoreThan,
  Not,
  Repository,
} from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { NotFoundError } from '../../common/errors/errors.js';
import { transaction } from '../../database/retry.js';
import { hashToken, newToken } from '../../encryption/random-token.js';
import { EventHub } from '../../events/event-hub.js';
import { ParleyEvent } from '../../events/parley-event.js';
import { addressKey } from '../../throttling/address-key.js';
import type { Actor } from '../actor.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { KnownAddress } from './known-address.entity.js';
import { RefreshToken } from './refresh-token.entity.js';
import { SessionReader, SessionWithUser } from './session-reader.js';
import { Session } from './session.entity.js';
import { whereUnchanged } from './unchanged-password.js';
import { REFRESH_TOKEN_SECONDS } from './token-lifetimes.js';
import { User } from '../users/user.entity.js';

/** Precision of `last_used_at`, so that not every request writes. */
const TOUCH_INTERVAL_MS = 60_000;

const LIST_LIMIT = 1000;
/** SQLite binds at most 32,766 values. */
const DELETE_BATCH_SIZE = 1000;

/** A session with its newest refresh token. The database stores only the hash. */
export interface SessionGrant {
  userId: number;
  sessionId: number;
  refreshToken: string;
}

/** Creates, lists and revokes sessions. */
@Injectable()
export class SessionsService {
  private readonly sessions: Repository<Session>;
  private readonly reader: SessionReader;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly events: EventHub,
    private readonly audit: AuditLog,
  ) {
    this.sessions = dataSource.getRepository(Session);
    this.reader = new SessionReader(dataSource);
  }

  findWithUser(sessionId: number): Promise<SessionWithUser | null> {
    return this.reader.find(sessionId);
  }

  /**
   * @param user as read before its password was verified
   * @param passwordHash replaces `user.passwordHash`; may be the same
   * @returns null if the password or the second factor was changed, or the account disabled or deleted, meanwhile
   */
  create(user: User, passwordHash: string | null, client: ClientInfo): Promise<SessionGrant | null> {
    return transaction(this.dataSource, async (manager) => {
      // Locks the user's row, so that a concurrent change of the password or second factor ends this session too.
      const { secondFactor } = user;
      const unchanged = { ...whereUnchanged(user), secondFactor, disabledAt: IsNull() };
      const changes = { passwordHash, lastSeenAt: new Date() };
      const { affected } = await manager.update(User, unchanged, changes);
      if (affected !== 1) return null;
      return insertSession(manager, user.id, client);
    });
  }

  /** Updates `last_used_at` of the session and `last_seen_at` of its user in the background. */
  touch(session: Session): void {
    const now = new Date();
    if (now.getTime() - session.lastUsedAt.getTime() < TOUCH_INTERVAL_MS) return;
    const stale = { id: session.id, lastUsedAt: LessThan(now) };
    // Errors are ignored: the request does not depend on the time of last use.
    this.sessions.update(stale, { lastUsedAt: now }).catch(() => undefined);
    this.markSeen(session.userId);
  }

  /** Updates the user's `last_seen_at` in the background. */
  markSeen(userId: number): void {
    this.dataSource.manager.update(User, { id: userId }, { lastSeenAt: new Date() }).catch(() => undefined);
  }

  /** Most recently used first; at most 1000. */
  list(userId: number): Promise<Session[]> {
    return this.sessions.find({
      where: { userId, expiresAt: MoreThan(new Date()) },
      order: { lastUsedAt: 'DESC', id: 'DESC' },
      take: LIST_LIMIT,
    });
  }

  async logOut(actor: Actor): Promise<void> {
    const { userId, sessionId } = actor;
    await this.sessions.delete({ id: sessionId });
    this.publishRevoked(userId, [sessionId]);
    this.audit.record('logout', actor);
  }

  /** @throws {NotFoundError} also for another user's session */
  async revoke({ userId, address }: Actor, sessionId: number): Promise<void> {
    const { affected } = await this.sessions.delete({ id: sessionId, userId });
    if (!affected) throw new NotFoundError('session');
    this.reportRevoked(userId, [sessionId], address);
  }

  async revokeOthers({ userId, session, address }: Actor): Promise<void> {
    const ids = await deleteOtherSessions(this.dataSource.manager, session);
    this.reportRevoked(userId, ids, address);
  }

  /** Publishes and audits revoked sessions. */
  reportRevoked(userId: number, sessionIds: number[], address: string): void {
    this.publishRevoked(userId, sessionIds);
    for (const sessionId of sessionIds) this.audit.record('session.revoked', { userId, sessionId, address });
  }

  /** Publishes `session.revoked`, which closes the sessions' sockets. */
  publishRevoked(userId: number, sessionIds: number[]): void {
    for (const id of sessionIds)
      this.events.publish(userId, new ParleyEvent('session.revoked', { session_id: id }));
  }
}

/** @returns the ids of the deleted sessions */
export function deleteOtherSessions(manager: EntityManager, { id, userId }: Session): Promise<number[]> {
  return deleteWhere(manager, { userId, id: Not(id) });
}

/** @returns the ids of the deleted sessions */
export function deleteSessionsOf(manager: EntityManager, userId: number): Promise<number[]> {
  return deleteWhere(manager, { userId });
}

async function deleteWhere(manager: EntityManager, where: FindOptionsWhere<Session>): Promise<number[]> {
  const ids = (await manager.find(Session, { select: { id: true }, where })).map(({ id }) => id);
  for (let start = 0; start < ids.length; start += DELETE_BATCH_SIZE)
    await manager.delete(Session, { id: In(ids.slice(start, start + DELETE_BATCH_SIZE)) });
  return ids;
}

async function insertSession(
  manager: EntityManager,
  userId: number,
  client: ClientInfo,
): Promise<SessionGrant> {
  const now = new Date();
  const expiresAt = new Date(now.getTime() + REFRESH_TOKEN_SECONDS * 1000);
  const { identifiers } = await manager.insert(Session, {
    userId,
    createdAt: now,
    lastUsedAt: now,
    expiresAt,
    ip: client.address,
    userAgent: client.userAgent,
  });
  const sessionId = Number(identifiers[0]!.id);
  const refreshToken = newToken();
  await manager.insert(RefreshToken, { sessionId, tokenHash: hashToken(refreshToken), expiresAt });
  const known = { userId, address: addressKey(client.address), lastLoginAt: now };
  await manager.upsert(KnownAddress, known, ['userId', 'address']);
  return { userId, sessionId, refreshToken };
}
