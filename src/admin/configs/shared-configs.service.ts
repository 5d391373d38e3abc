import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type EntityManager, IsNull } from 'typeorm';
import { transaction } from '../../database/retry.js';
import { EncryptionService } from '../../encryption/encryption.service.js';
import { ConfigColumns, type ConfigChanges } from '../../configs/config-columns.service.js';
import { sharedDefaultOf } from '../../configs/config-lists.service.js';
import { assertBelowLimit, withSharedLock } from '../../configs/config-rows.js';
import { configNotFound, defaultNotUnsettable } from '../../configs/configs.errors.js';
import { ModelConfig } from '../../configs/model-config.entity.js';
import { SharedConfigPublisher } from '../../configs/shared-config-publisher.service.js';
import {
  type CreateSharedConfigDto,
  SharedConfigDto,
  type UpdateSharedConfigDto,
} from './shared-config.dto.js';

/** The operator's configurations, which all users can choose. */
@Injectable()
export class SharedConfigsService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly columns: ConfigColumns,
    private readonly encryption: EncryptionService,
    private readonly publisher: SharedConfigPublisher,
  ) {}

  /** Oldest first, with those that are not enabled. */
  async list(): Promise<SharedConfigDto[]> {
    const configs = await this.dataSource.manager.find(ModelConfig, {
      where: { userId: IsNull() },
      order: { id: 'ASC' },
    });
    const chosen = sharedDefaultOf(configs.filter(({ enabled }) => enabled));
    return configs.map((config) => {
      const isReadable = this.encryption.isReadable(config.encryptedApiKey);
      return SharedConfigDto.of(config, { isDefault: config === chosen, isReadable });
    });
  }

  async create(dto: CreateSharedConfigDto): Promise<SharedConfigDto> {
    const columns = { ...this.columns.create(null, dto), ...ownColumns(dto) };
    const id = await transaction(this.dataSource, async (manager) => {
      await assertBelowLimit(manager, null);
      const config = await manager.save(Object.assign(new ModelConfig(), columns));
      if (dto.is_default) await makeDefault(manager, config.id);
      return config.id;
    });
    return this.changed(id);
  }

  /** @throws {NotFoundError} also for a user's configuration */
  async update(id: number, dto: UpdateSharedConfigDto): Promise<SharedConfigDto> {
    if (dto.is_default === false) await this.refuseUnsetting(id);
    await withSharedLock(this.dataSource, async (manager) => {
      const config = await getShared(manager, id);
      const changes = this.columns.changesTo(config, dto, ownColumns(dto));
      if (changes) await manager.update(ModelConfig, { id }, changes);
      if (dto.is_default) await makeDefault(manager, id);
    });
    return this.changed(id);
  }

  /** @throws {NotFoundError} also for a user's configuration */
  async delete(id: number): Promise<void> {
    const { affected } = await this.dataSource.manager.delete(ModelConfig, { id, userId: IsNull() });
    if (!affected) throw configNotFound();
    this.publisher.publishChange();
  }

  /** @throws {NotFoundError} also for a user's configuration */
  getRow(id: number): Promise<ModelConfig> {
    return getShared(this.dataSource.manager, id);
  }

  private async refuseUnsetting(id: number): Promise<void> {
    const isDefault = (await this.list()).some((config) => config.id === id && config.is_default);
    if (isDefault) throw defaultNotUnsettable();
  }

  private async changed(id: number): Promise<SharedConfigDto> {
    this.publisher.publishChange();
    const config = (await this.list()).find((one) => one.id === id);
    if (!config) throw configNotFound();
    return config;
  }
}

function ownColumns({ enabled, daily_tokens_per_user: tokens }: UpdateSharedConfigDto): ConfigChanges {
  return {
    ...(enabled !== undefined && { enabled }),
    ...(tokens !== undefined && { dailyTokensPerUser: tokens }),
  };
}

async function getShared(manager: EntityManager, id: number): Promise<ModelConfig> {
  const config = await manager.findOneBy(ModelConfig, { id, userId: IsNull() });
  if (!config) throw configNotFound();
  return config;
}

/** Locks the rows of all shared configurations, so that simultaneous moves of the default wait for each other. */
async function makeDefault(manager: EntityManager, id: number): Promise<void> {
  await manager.update(ModelConfig, { userId: IsNull() }, { sharedDefault: null });
  await manager.update(ModelConfig, { id }, { sharedDefault: 1 });
}
