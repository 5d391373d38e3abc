import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { NotFoundError } from '../../common/errors/errors.js';
import { isDuplicateKey, transaction } from '../../database/retry.js';
import type { Actor } from '../actor.js';
import { identityInUse, lastLoginMethod } from '../auth.errors.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { requireSession } from '../sessions/require-session.js';
import { User } from '../users/user.entity.js';
import { ExternalIdentity } from './external-identity.entity.js';
import { IdTokenVerifier, type IdTokenClaims } from './id-token-verifier.service.js';
import { IdentityDto, type LinkIdentityDto } from './identity.dto.js';
import { findIdentity, insertIdentity } from './identity-rows.js';

/** Lists, links and unlinks the identities of signed-in users. */
@Injectable()
export class IdentitiesService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly verifier: IdTokenVerifier,
    private readonly reauthentication: ReauthenticationService,
    private readonly audit: AuditLog,
  ) {}

  /** Oldest first. */
  async list(userId: number): Promise<IdentityDto[]> {
    const order = { id: 'ASC' } as const;
    const identities = await this.dataSource.manager.find(ExternalIdentity, { where: { userId }, order });
    return identities.map((identity) => IdentityDto.from(identity));
  }

  /**
   * @returns the identity, and whether it is newly linked
   * @throws {UnauthenticatedError} `invalid_id_token`
   * @throws {ConflictError} `identity_in_use`
   */
  async link(actor: Actor, dto: LinkIdentityDto): Promise<{ identity: IdentityDto; isNew: boolean }> {
    await this.reauthentication.requireUnlessFresh(actor, dto.current_password);
    const claims = await this.verifier.verify(dto.id_token);
    const linked = (await this.findOwn(actor, claims)) ?? (await this.insert(actor, claims));
    return { identity: IdentityDto.from(linked.identity), isNew: linked.isNew };
  }

  /**
   * Locks the user's row: of two simultaneous calls, one finds the last login method.
   * @throws {NotFoundError} also for another user's identity
   * @throws {ConflictError} `last_login_method`
   */
  async unlink(actor: Actor, id: number): Promise<void> {
    const { userId } = actor;
    await transaction(this.dataSource, async (manager) => {
      await manager.update(User, { id: userId }, { createdAt: () => 'created_at' });
      const { affected } = await manager.delete(ExternalIdentity, { id, userId });
      if (!affected) throw new NotFoundError('identity');
      const { passwordHash } = await manager.findOneByOrFail(User, { id: userId });
      if (passwordHash === null && !(await manager.existsBy(ExternalIdentity, { userId })))
        throw lastLoginMethod();
    });
    this.audit.record('identity.unlinked', actor, { details: { identity_id: id } });
  }

  private async findOwn(actor: Actor, claims: IdTokenClaims) {
    const identity = await findIdentity(this.dataSource.manager, claims);
    if (identity && identity.userId !== actor.userId) throw identityInUse();
    return identity && { identity, isNew: false };
  }

  private async insert(actor: Actor, claims: IdTokenClaims) {
    try {
      const identity = await transaction(this.dataSource, async (manager) => {
        const inserted = await insertIdentity(manager, claims, actor.userId);
        await requireSession(manager, actor.session);
        return inserted;
      });
      this.audit.record('identity.linked', actor, { details: { identity_id: identity.id } });
      return { identity, isNew: true };
    } catch (error) {
      const found = isDuplicateKey(error) ? await this.findOwn(actor, claims) : null;
      if (!found) throw error;
      return found;
    }
  }
}
