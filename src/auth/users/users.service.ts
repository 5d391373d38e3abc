import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
import { AuditLog } from '../../audit/audit-log.js';
import { foldText } from '../../common/text/fold-text.js';
import type { Actor } from '../actor.js';
import type { ChangeUsernameDto } from '../auth.dto.js';
import { writeUnique } from './unique-names.js';
import type { UserDto } from './user.dto.js';
import { UserDtos } from './user-dtos.service.js';
import { User } from './user.entity.js';

@Injectable()
export class UsersService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly dtos: UserDtos,
    private readonly audit: AuditLog,
  ) {}

  get(user: User): Promise<UserDto> {
    return this.dtos.of(user);
  }

  /** @throws {ConflictError} `username_taken` */
  async changeUsername(actor: Actor, { username }: ChangeUsernameDto): Promise<UserDto> {
    const names = { usernameKey: foldText(username) };
    const write = () => this.users.update({ id: actor.userId }, { ...names, username });
    await writeUnique(this.users.manager, names, write);
    this.audit.record('username.changed', actor);
    return this.get({ ...actor.user, username });
  }
}
