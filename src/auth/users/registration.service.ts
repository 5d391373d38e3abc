import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { foldText } from '../../common/text/fold-text.js';
import type { RegisterDto } from '../auth.dto.js';
import type { ClientInfo } from '../client-info.decorator.js';
import { AdmissionService } from '../invitations/admission.service.js';
import { refuseGuessablePassword } from '../passwords/password-rules.js';
import { PasswordService } from '../passwords/password.service.js';
import { assertNotTaken, emailColumns } from './unique-names.js';
import { UserCreationService } from './user-creation.service.js';
import type { UserDto } from './user.dto.js';
import { UserDtos } from './user-dtos.service.js';

@Injectable()
export class RegistrationService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly admission: AdmissionService,
    private readonly passwords: PasswordService,
    private readonly creation: UserCreationService,
    private readonly dtos: UserDtos,
  ) {}

  /**
   * @throws {ConflictError} `username_taken`, `email_taken`
   * @throws {ValidationFailedError} naming `password` or `invitation`
   * @throws {ProblemError} 403 `invitation_required`, `registration_closed`
   */
  async register({ password, ...dto }: RegisterDto, client: ClientInfo): Promise<UserDto> {
    const { username, email } = dto;
    const invitation = await this.admission.admit(dto.invitation);
    await refuseGuessablePassword(password, { username, email });
    const names = { usernameKey: foldText(username), ...emailColumns(email) };
    await assertNotTaken(this.dataSource.manager, names);
    const passwordHash = await this.passwords.hash(password);
    const newUser = { username, email, emailVerified: false, passwordHash, invitation };
    return this.dtos.of(await this.creation.create(newUser, client));
  }
}
