import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, EntityManager, IsNull, Not } from 'typeorm';
import { AuditLog, type AuditSubject } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { hashToken, newToken } from '../../encryption/random-token.js';
import {
  expiredRefreshToken,
  invalidRefreshToken,
  reusedRefreshToken,
  revokedToken,
} from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { RefreshToken } from '../sessions/refresh-token.entity.js';
import { Session } from '../sessions/session.entity.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { REFRESH_TOKEN_SECONDS } from '../sessions/token-lifetimes.js';
import { openSuccessor, sealSuccessor } from './sealed-successor.js';
import type { TokenPairDto } from './token-pair.dto.js';
import { TokensService } from './tokens.service.js';

/** How long a used token still returns its unused successor, for lost responses and simultaneous refreshes. */
const REUSE_GRACE_MS = 60 * 60_000;

/**
 * Rotates refresh tokens (RFC 9700 section 4.14.2): each is used once and returns its successor. Reuse of a token ends
 * the session, so that an attacker and the client cannot both continue.
 */
@Injectable()
export class RefreshService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {UnauthenticatedError} `unauthenticated`, `token_expired`, `token_revoked`, `token_reused` */
  async rotate(token: string, client: ClientInfo): Promise<TokenPairDto> {
    const row = await this.findRow(token);
    const refreshToken = await transaction(this.dataSource, (manager) => rotateToken(manager, row, token));
    const { id: sessionId, userId } = row.session!;
    if (refreshToken === null) {
      await this.endFamily({ userId, sessionId, address: client.address });
      throw reusedRefreshToken();
    }
    this.sessions.markSeen(userId);
    return this.tokens.createPair({ userId, sessionId, refreshToken });
  }

  private async findRow(token: string): Promise<RefreshToken> {
    const row = await this.dataSource.getRepository(RefreshToken).findOne({
      where: { tokenHash: hashToken(token) },
      relations: { session: true },
    });
    if (!row) throw invalidRefreshToken();
    if (row.expiresAt.getTime() <= Date.now() && !isReusable(row)) throw expiredRefreshToken();
    return row;
  }

  /** Deletes the session and, by cascade, its tokens. */
  private async endFamily(subject: Required<AuditSubject>): Promise<void> {
    const { userId, sessionId, address } = subject;
    const { affected } = await this.dataSource.getRepository(Session).delete({ id: sessionId });
    if (!affected) return;
    this.audit.record('refresh.reused', subject);
    this.sessions.reportRevoked(userId, [sessionId], address);
  }
}

/**
 * Exactly one caller uses a token. Others within the grace period get the same successor.
 * @returns the successor, or null for a reuse
 */
async function rotateToken(manager: EntityManager, row: RefreshToken, token: string): Promise<string | null> {
  const now = new Date();
  // Locks the session's row first, which serializes the refreshes of a session and prevents deadlocks.
  const { affected } = await manager.update(Session, { id: row.sessionId }, { lastUsedAt: now });
  if (affected !== 1) throw revokedToken();
  const successor = newToken();
  const spent = await manager.update(
    RefreshToken,
    { id: row.id, usedAt: IsNull() },
    { usedAt: now, sealedSuccessor: sealSuccessor(successor, token) },
  );
  if (spent.affected !== 1) return reissueSuccessor(manager, row.id, token);
  await insertSuccessor(manager, row, successor, now);
  return successor;
}

async function insertSuccessor(
  manager: EntityManager,
  { id, sessionId }: RefreshToken,
  successor: string,
  now: Date,
): Promise<void> {
  const expiresAt = new Date(now.getTime() + REFRESH_TOKEN_SECONDS * 1000);
  await manager.insert(RefreshToken, { sessionId, tokenHash: hashToken(successor), expiresAt });
  await manager.update(Session, { id: sessionId }, { expiresAt });
  // The predecessor must not reissue this token, now that it is used.
  const predecessor = { sessionId, id: Not(id), sealedSuccessor: Not(IsNull()) };
  await manager.update(RefreshToken, predecessor, { sealedSuccessor: null });
}

/** @returns null after the grace period */
async function reissueSuccessor(manager: EntityManager, id: number, token: string): Promise<string | null> {
  const spent = await manager.findOneByOrFail(RefreshToken, { id });
  return isReusable(spent) ? openSuccessor(spent.sealedSuccessor, token) : null;
}

type RecentlyUsedToken = RefreshToken & { sealedSuccessor: string };

/** The grace period ends after REUSE_GRACE_MS, or when the successor is used, which clears `sealedSuccessor`. */
function isReusable(token: RefreshToken): token is RecentlyUsedToken {
  const { usedAt, sealedSuccessor } = token;
  return usedAt !== null && sealedSuccessor !== null && Date.now() - usedAt.getTime() <= REUSE_GRACE_MS;
}
