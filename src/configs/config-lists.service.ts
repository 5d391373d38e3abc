import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, In, IsNull } from 'typeorm';
import { User } from '../auth/users/user.entity.js';
import { EncryptionService } from '../encryption/encryption.service.js';
import { ConfigDto } from './config.dto.js';
import { ModelConfig } from './model-config.entity.js';

/** Lists of configurations by user. Users without own configurations have no entry. */
class ListsByUser extends Map<number, ConfigDto[]> {
  /** The list of every user without own configurations. */
  sharedOnly: ConfigDto[] = [];
}

/** Makes the lists of configurations that users see, of many users at once. */
@Injectable()
export class ConfigLists {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly encryption: EncryptionService,
  ) {}

  async read(userIds: number[]): Promise<ListsByUser> {
    const { manager } = this.dataSource;
    const where = [{ userId: In(userIds) }, { userId: IsNull(), enabled: true }];
    const configs = await manager.find(ModelConfig, { where, order: { id: 'ASC' } });
    const shared = configs.filter(({ userId }) => userId === null);
    const own = groupByUser(configs);
    const lists = new ListsByUser();
    lists.sharedOnly = this.toDtos(shared, sharedDefaultOf(shared));
    for (const [userId, chosen] of await this.chosenDefaults([...own.keys()])) {
      const configsOfUser = own.get(userId)!;
      const defaultConfig = configsOfUser.find(({ id }) => id === chosen) ?? configsOfUser[0];
      lists.set(userId, this.toDtos([...configsOfUser, ...shared], defaultConfig));
    }
    return lists;
  }

  private async chosenDefaults(userIds: number[]): Promise<[userId: number, configId: number | null][]> {
    if (userIds.length === 0) return [];
    const select = { id: true, defaultConfigId: true };
    const users = await this.dataSource.manager.find(User, { select, where: { id: In(userIds) } });
    return users.map(({ id, defaultConfigId }) => [id, defaultConfigId]);
  }

  private toDtos(configs: ModelConfig[], defaultConfig: ModelConfig | undefined): ConfigDto[] {
    return configs.map((config) => {
      const isReadable = this.encryption.isReadable(config.encryptedApiKey);
      return ConfigDto.from(config, { isDefault: config === defaultConfig, isReadable });
    });
  }
}

function groupByUser(configs: ModelConfig[]): Map<number, ModelConfig[]> {
  const groups = new Map<number, ModelConfig[]>();
  for (const config of configs) {
    if (config.userId === null) continue;
    const group = groups.get(config.userId) ?? [];
    groups.set(config.userId, group);
    group.push(config);
  }
  return groups;
}

/** The chosen default of enabled shared configurations, or the oldest. */
export function sharedDefaultOf(enabled: ModelConfig[]): ModelConfig | undefined {
  return enabled.find(({ sharedDefault }) => sharedDefault !== null) ?? enabled[0];
}
