import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';
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
}
