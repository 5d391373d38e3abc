import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository, type SelectQueryBuilder } from 'typeorm';
import { Roles } from '../../auth/roles/roles.service.js';
import { UserDtos } from '../../auth/users/user-dtos.service.js';
import { User } from '../../auth/users/user.entity.js';
import { NotFoundError } from '../../common/errors/errors.js';
import { foldText } from '../../common/text/fold-text.js';
import { AdminUserDto, AdminUserListDto, type ListUsersQuery } from './admin-user.dto.js';
import { UserStatisticsService } from './user-statistics.service.js';

/** Lists users for administrators. */
@Injectable()
export class AdminUsersService {
  constructor(
    @InjectRepository(User) private readonly users: Repository<User>,
    private readonly roles: Roles,
    private readonly dtos: UserDtos,
    private readonly statistics: UserStatisticsService,
  ) {}

  /** Newest first. */
  async list(query: ListUsersQuery): Promise<AdminUserListDto> {
    const [users, total] = await this.queryUsers(query).getManyAndCount();
    return { users: await this.toDtos(users), total, limit: query.limit, offset: query.offset };
  }

  queryUsers({ q, role, disabled, limit, offset }: ListUsersQuery): SelectQueryBuilder<User> {
    const query = this.users
      .createQueryBuilder('user')
      .orderBy('user.id', 'DESC')
      .limit(limit)
      .offset(offset);
    if (q !== undefined)
      query.andWhere(
        "(user.usernameKey LIKE :name ESCAPE '!' OR user.email LIKE :email ESCAPE '!' OR user.emailKey LIKE :name ESCAPE '!')",
        { name: containing(foldText(q)), email: containing(q.trim().toLowerCase()) },
      );
    if (role !== undefined) this.roles.filter(query, role);
    if (disabled !== undefined) query.andWhere(`user.disabledAt IS ${disabled ? 'NOT ' : ''}NULL`);
    return query;
  }

  /** @throws {NotFoundError} */
  async get(id: number): Promise<AdminUserDto> {
    return this.dtoOf(await this.find(id));
  }

  async dtoOf(user: User): Promise<AdminUserDto> {
    const [dto] = await this.toDtos([user]);
    return dto!;
  }

  /** @throws {NotFoundError} */
  async find(id: number): Promise<User> {
    const user = await this.users.findOneBy({ id });
    if (!user) throw new NotFoundError('user');
    return user;
  }

  private async toDtos(users: User[]): Promise<AdminUserDto[]> {
    const dtos = await this.dtos.ofAll(users);
    const statistics = await this.statistics.of(users.map(({ id }) => id));
    return users.map((user, n) => AdminUserDto.of(dtos[n]!, user, statistics[n]!));
  }
}

/** A pattern of LIKE, with `!` as the escape character. */
const containing = (text: string) => `%${text.trim().replace(/[%_!]/g, '!$&')}%`;
