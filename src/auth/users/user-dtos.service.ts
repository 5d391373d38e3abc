import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, Repository } from 'typeorm';
import { ModelConfig } from '../../configs/model-config.entity.js';
import { Roles } from '../roles/roles.service.js';
import { UserDto } from './user.dto.js';
import type { User } from './user.entity.js';

/** Makes the representation of a user. */
@Injectable()
export class UserDtos {
  constructor(
    @InjectRepository(ModelConfig) private readonly configs: Repository<ModelConfig>,
    private readonly roles: Roles,
  ) {}

  async of(user: User): Promise<UserDto> {
    const hasConfig = await this.configs.existsBy({ userId: user.id });
    return UserDto.from(user, { hasConfig, role: this.roles.of(user) });
  }

  async ofAll(users: User[]): Promise<UserDto[]> {
    const userIds = users.map(({ id }) => id);
    const configs = await this.configs.find({ select: { userId: true }, where: { userId: In(userIds) } });
    const withConfig = new Set(configs.map(({ userId }) => userId));
    return users.map((user) =>
      UserDto.from(user, { hasConfig: withConfig.has(user.id), role: this.roles.of(user) }),
    );
  }
}
