import { Injectable } from '@nestjs/common';
import type { Actor } from '../auth/actor.js';
import { IdentitiesService } from '../auth/identities/identities.service.js';
import { SessionListDto } from '../auth/sessions/session.dto.js';
import { SessionsService } from '../auth/sessions/sessions.service.js';
import { UsersService } from '../auth/users/users.service.js';
import { ConfigsService } from '../configs/configs.service.js';
import type { ExportDto } from './export.dto.js';

/** The bounded part of an export. */
export type ExportedAccount = Omit<ExportDto, 'files' | 'conversations'>;

@Injectable()
export class AccountExport {
  constructor(
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly identities: IdentitiesService,
    private readonly configs: ConfigsService,
  ) {}

  async read({ user, session }: Actor): Promise<ExportedAccount> {
    return {
      exported_at: new Date().toISOString(),
      user: await this.users.get(user),
      ...SessionListDto.from(await this.sessions.list(user.id), session.id),
      identities: await this.identities.list(user.id),
      configs: (await this.configs.list(user.id)).filter(({ shared }) => !shared),
    };
  }
}
