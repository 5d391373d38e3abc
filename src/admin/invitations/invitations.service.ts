import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Actor } from '../../auth/actor.js';
import { mailNotConfigured } from '../../auth/auth.errors.js';
import { Invitation } from '../../auth/invitations/invitation.entity.js';
import { NotFoundError } from '../../common/errors/errors.js';
import { transaction } from '../../database/retry.js';
import { hashToken, newToken } from '../../encryption/random-token.js';
import { Settings } from '../../env/settings.js';
import { MailQueue } from '../../mail/mail-queue.service.js';
import { invitationMail } from '../../mail/mail-templates.js';
import {
  type CreateInvitationDto,
  InvitationDto,
  type InvitationListDto,
  type ListInvitationsQuery,
  type CreatedInvitationDto,
} from './invitation.dto.js';

const LIFETIME_MS = 7 * 24 * 60 * 60_000;

@Injectable()
export class InvitationsService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly settings: Settings,
    private readonly mails: MailQueue,
  ) {}

  /** @throws {ProblemError} 403 `mail_not_configured` */
  async create(actor: Actor, dto: CreateInvitationDto): Promise<CreatedInvitationDto> {
    if (dto.email !== undefined && !this.mails.isConfigured) throw mailNotConfigured();
    const code = newToken();
    const invitation = await transaction(this.dataSource, async (manager) => {
      const invitation = newInvitation(code, dto);
      await manager.insert(Invitation, invitation);
      const mail = dto.email && invitationMail(dto.email, this.linkOf(code), actor.client.language);
      if (mail) await this.mails.add(manager, actor.userId, mail);
      return invitation;
    });
    return { ...InvitationDto.from(invitation), code };
  }

  /** Newest first. */
  async list({ limit, offset }: ListInvitationsQuery): Promise<InvitationListDto> {
    const page = { order: { id: 'DESC' }, take: limit, skip: offset } as const;
    const [invitations, total] = await this.dataSource.manager.findAndCount(Invitation, page);
    return {
      invitations: invitations.map((invitation) => InvitationDto.from(invitation)),
      total,
      limit,
      offset,
    };
  }

  /** @throws {NotFoundError} */
  async delete(id: number): Promise<void> {
    const { affected } = await this.dataSource.manager.delete(Invitation, { id });
    if (!affected) throw new NotFoundError('invitation');
  }

  /** The code follows `#`, so that no server logs it. */
  private linkOf(code: string): string {
    return `${this.settings.linkBaseUrl}/#invitation=${code}`;
  }
}

function newInvitation(code: string, { email, expires_at }: CreateInvitationDto): Invitation {
  const now = new Date();
  return Object.assign(new Invitation(), {
    codeHash: hashToken(code),
    email: email ?? null,
    expiresAt: expires_at ? new Date(expires_at) : new Date(now.getTime() + LIFETIME_MS),
    usedBy: null,
    createdAt: now,
  });
}
