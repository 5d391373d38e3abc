import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, IsNull, MoreThan } from 'typeorm';
import { invalidField } from '../../common/errors/errors.js';
import { hashToken } from '../../encryption/random-token.js';
import { Settings } from '../../env/settings.js';
import { invitationRequired, registrationClosed } from '../auth.errors.js';
import { Invitation } from './invitation.entity.js';

/** Decides by REGISTRATION and an invitation whether an account may be created. */
@Injectable()
export class AdmissionService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly settings: Settings,
  ) {}

  /**
   * @param code of an invitation, if one was sent
   * @returns the invitation to redeem
   * @throws {ValidationFailedError} naming `invitation` for a wrong, used or expired code
   * @throws {ProblemError} 403 `invitation_required`, `registration_closed`
   */
  async admit(code: string | undefined): Promise<Invitation | null> {
    const invitation = code === undefined ? null : await this.findUsable(code);
    const { registration } = this.settings;
    if (registration === 'closed') throw registrationClosed();
    if (registration === 'invite' && !invitation) throw invitationRequired();
    return invitation;
  }

  private async findUsable(code: string): Promise<Invitation> {
    const where = { codeHash: hashToken(code), ...usable() };
    const invitation = await this.dataSource.manager.findOneBy(Invitation, where);
    if (!invitation) throw invalidInvitation();
    return invitation;
  }
}

/**
 * Marks an invitation as used, in the transaction that creates the user. Of simultaneous registrations, on any node, one
 * succeeds.
 * @throws {ValidationFailedError} naming `invitation`
 */
export async function redeemInvitation(
  manager: EntityManager,
  invitation: Invitation | null,
  userId: number,
): Promise<void> {
  if (!invitation) return;
  const { affected } = await manager.update(
    Invitation,
    { id: invitation.id, ...usable() },
    { usedBy: userId },
  );
  if (affected !== 1) throw invalidInvitation();
}

const usable = () => ({ usedBy: IsNull(), expiresAt: MoreThan(new Date()) });

const invalidInvitation = () =>
  invalidField('invitation', 'Must be the code of an invitation that was not used and has not expired.');
