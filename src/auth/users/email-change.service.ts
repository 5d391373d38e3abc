import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { transaction } from '../../database/retry.js';
import { emailChangedMail } from '../../mail/mail-templates.js';
import type { Actor } from '../actor.js';
import type { ChangeEmailDto } from '../auth.dto.js';
import { AccountMails } from '../mails/account-mails.service.js';
import { cancelMailTokens } from '../mails/mail-tokens.js';
import { ReauthenticationService } from '../passwords/reauthentication.service.js';
import { requireSession } from '../sessions/require-session.js';
import { assertNotTaken, type EmailColumns, emailColumns, writeUnique } from './unique-names.js';
import type { UserDto } from './user.dto.js';
import { UserDtos } from './user-dtos.service.js';
import { User } from './user.entity.js';

/** Changes email addresses: at once, or under EMAIL_VERIFICATION=required once the new address is verified. */
@Injectable()
export class EmailChangeService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly dtos: UserDtos,
    private readonly reauthentication: ReauthenticationService,
    private readonly mails: AccountMails,
    private readonly audit: AuditLog,
  ) {}

  /** @throws {ConflictError} `email_taken` */
  async change(actor: Actor, { email, current_password }: ChangeEmailDto): Promise<UserDto> {
    await this.reauthentication.requireUnlessFresh(actor, current_password);
    const isPending = this.mails.verification === 'required' && email !== actor.user.email;
    return this.dtos.of(await (isPending ? this.prepare(actor, email) : this.replace(actor, email)));
  }

  /** Cancels mailed tokens, and with them an earlier pending address. */
  private async prepare(actor: Actor, email: string): Promise<User> {
    const { user, session } = actor;
    const { manager } = this.dataSource;
    const { emailKey } = emailColumns(email);
    if (emailKey !== user.emailKey) await assertNotTaken(manager, { emailKey });
    await requireSession(manager, session);
    await cancelMailTokens(manager, user.id);
    await this.mails.addPendingVerification(actor, email);
    return user;
  }

  private async replace(actor: Actor, email: string): Promise<User> {
    const names = emailColumns(email);
    const isChanged = await writeUnique(this.dataSource.manager, names, () =>
      transaction(this.dataSource, (manager) => this.write(manager, actor, names)),
    );
    this.audit.record('email.changed', actor);
    const user = { ...actor.user, ...names, emailVerified: actor.user.emailVerified && !isChanged };
    if (this.mails.verification !== 'off' && !user.emailVerified)
      await this.mails.addVerification(user, actor.client.language);
    return user;
  }

  /** @returns whether the address is another one */
  private async write(manager: EntityManager, { user, userId, session, client }: Actor, names: EmailColumns) {
    const { affected } = await manager
      .createQueryBuilder()
      .update(User)
      .set({ ...names, emailVerified: false })
      .where('id = :userId AND (email IS NULL OR email <> :email)', { userId, email: names.email })
      .execute();
    await requireSession(manager, session);
    await cancelMailTokens(manager, userId);
    if (affected !== 1) return false;
    await this.mails.addNotice(manager, user, (to) => emailChangedMail(to, client.language));
    return true;
  }
}
