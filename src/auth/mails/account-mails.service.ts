import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { emailKey } from '../../common/text/email-key.js';
import { transaction } from '../../database/retry.js';
import { Settings } from '../../env/settings.js';
import type { Mail, MailLanguage } from '../../mail/mail.js';
import { MailQueue } from '../../mail/mail-queue.service.js';
import { emailVerificationMail, passwordResetMail } from '../../mail/mail-templates.js';
import { type LimitKey, RateLimits } from '../../throttling/rate-limits.js';
import type { Actor } from '../actor.js';
import { requireSession } from '../sessions/require-session.js';
import type { Session } from '../sessions/session.entity.js';
import type { User } from '../users/user.entity.js';
import type { MailToken } from './mail-token.entity.js';
import { issueMailToken } from './mail-tokens.js';

interface Link {
  purpose: MailToken['purpose'];
  to: string;
  language: MailLanguage;
  /** The session that requests the link, for an address that is not the user's yet. */
  session?: Session;
}

const LINKS = {
  reset: { page: 'reset-password', compose: passwordResetMail },
  verification: { page: 'verify-email', compose: emailVerificationMail },
};

/** Mails to users about their accounts. */
@Injectable()
export class AccountMails {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly settings: Settings,
    private readonly limits: RateLimits,
    private readonly queue: MailQueue,
  ) {}

  /** False in production without SMTP_URL. */
  get isConfigured(): boolean {
    return this.queue.isConfigured;
  }

  get verification(): Settings['emailVerification'] {
    return this.settings.emailVerification;
  }

  /**
   * Stores a mail with a new link, unless a budget of mails is spent: the account's or the address's.
   * @throws {UnauthenticatedError} `token_revoked` if the link's session has ended
   */
  async addLink(user: User, link: Link): Promise<void> {
    if (!this.isConfigured || !(await this.mayMail(user.id, link.to))) return;
    await transaction(this.dataSource, (manager) => this.storeLink(manager, user, link));
  }

  /** Like `addLink`, with a link that verifies an address. */
  addVerification(user: User, language: MailLanguage): Promise<void> {
    return this.addLink(user, { purpose: 'verification', to: user.email!, language });
  }

  /** Like `addVerification`, for an address that becomes the user's once it is verified. */
  addPendingVerification({ user, session, client }: Actor, to: string): Promise<void> {
    return this.addLink(user, { purpose: 'verification', to, language: client.language, session });
  }

  /**
   * Stores a mail about a change of the account in the transaction of the change. Such mails have a budget of their own,
   * so that requested mails cannot suppress them.
   */
  async addNotice(manager: EntityManager, { id, email }: User, compose: (to: string) => Mail): Promise<void> {
    if (email === null || !this.isConfigured || !(await this.consume('notices', keyOf(email)))) return;
    await this.queue.add(manager, id, compose(email));
  }

  private async storeLink(
    manager: EntityManager,
    user: User,
    { purpose, to, language, session }: Link,
  ): Promise<void> {
    const token = await issueMailToken(manager, user, { purpose, email: to });
    if (token === null) return;
    if (session) await requireSession(manager, session);
    const { page, compose } = LINKS[purpose];
    const link = `${this.settings.linkBaseUrl}/${page}#token=${token}`;
    await this.queue.add(manager, user.id, compose(to, link, language));
  }

  /** Limits addresses too, because accounts can be deleted and registered again. */
  private async mayMail(userId: number, email: string): Promise<boolean> {
    return (await this.consume('mails', userId)) && (await this.consume('mails', keyOf(email)));
  }

  private async consume(name: 'mails' | 'notices', key: LimitKey): Promise<boolean> {
    return (await this.limits.tryConsume(name, key)).allowed;
  }
}

const keyOf = (email: string) => emailKey(email) ?? email;
