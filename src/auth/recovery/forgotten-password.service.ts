import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { setTimeout as delay } from 'node:timers/promises';
import { Repository } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { mailNotConfigured } from '../auth.errors.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { findByEmail } from '../users/find-by-email.js';
import { User } from '../users/user.entity.js';

/** Longer than storing a mail takes, so that the response time does not reveal whether the account exists. */
const RESPONSE_MS = 300;

/** Mails links that reset a forgotten password. */
@Injectable()
export class ForgottenPasswordService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /**
   * Gives the same response after the same time whether or not the account exists.
   * @throws {ProblemError} 403 `mail_not_configured`
   */
  async requestReset(email: string, client: ClientInfo): Promise<void> {
    if (!this.mails.isConfigured) throw mailNotConfigured();
    await Promise.all([this.findAndMail(email, client), delay(RESPONSE_MS)]);
  }

  private async findAndMail(email: string, { address, language }: ClientInfo): Promise<void> {
    const user = await findByEmail(this.users.manager, email);
    this.audit.record('password.forgotten', { userId: user?.id, address });
    if (user) await this.mails.addLink(user, { purpose: 'reset', to: user.email!, language });
  }
}
