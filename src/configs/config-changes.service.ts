import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Actor } from '../auth/actor.js';
import { AuditLog } from '../audit/audit-log.js';
import { ConfigDto, CreateConfigDto, UpdateConfigDto } from './config.dto.js';
import { EventHub } from '../events/event-hub.js';
import { ParleyEvent } from '../events/parley-event.js';
import { ConfigColumns } from './config-columns.service.js';
import { getOwned, assertBelowLimit, setDefault, withUserLock } from './config-rows.js';
import { configNotFound } from './configs.errors.js';
import { ConfigsService } from './configs.service.js';
import { ModelConfig } from './model-config.entity.js';

/** Changes a user's configurations, publishes `config.changed`, and audits changes of keys. */
@Injectable()
export class ConfigChangesService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly configs: ConfigsService,
    private readonly columns: ConfigColumns,
    private readonly audit: AuditLog,
    private readonly events: EventHub,
  ) {}

  async create(actor: Actor, dto: CreateConfigDto): Promise<ConfigDto> {
    const { userId } = actor;
    const config = Object.assign(new ModelConfig(), this.columns.create(userId, dto));
    await withUserLock(this.dataSource, userId, async (manager) => {
      await assertBelowLimit(manager, userId);
      await manager.save(config);
      if (dto.is_default) await setDefault(manager, config, true);
    });
    this.audit.record('config.created', actor, { details: { id: config.id } });
    return this.changed(userId, config.id);
  }

  async update(actor: Actor, id: number, dto: UpdateConfigDto): Promise<ConfigDto> {
    const { userId } = actor;
    await withUserLock(this.dataSource, userId, async (manager) => {
      const config = await getOwned(manager, userId, id);
      const changes = this.columns.changesTo(config, dto);
      // Not save(), which would overwrite a key that keys:rotate has re-encrypted meanwhile.
      if (changes) await manager.update(ModelConfig, { id }, changes);
      if (dto.is_default !== undefined) await setDefault(manager, config, dto.is_default);
    });
    const details = { id, key_changed: dto.api_key !== undefined };
    this.audit.record('config.updated', actor, { details });
    return this.changed(userId, id);
  }

  async delete(actor: Actor, id: number): Promise<void> {
    const { userId } = actor;
    await withUserLock(this.dataSource, userId, async (manager) => {
      await getOwned(manager, userId, id);
      await manager.delete(ModelConfig, { id });
    });
    this.audit.record('config.deleted', actor, { details: { id } });
    await this.publishChange(userId);
  }

  /** @throws {NotFoundError} if it was deleted meanwhile */
  private async changed(userId: number, id: number): Promise<ConfigDto> {
    const config = (await this.publishChange(userId)).find((one) => one.id === id);
    if (!config) throw configNotFound();
    return config;
  }

  /** Publishes `config.changed` to the user's devices. */
  private async publishChange(userId: number): Promise<ConfigDto[]> {
    const configs = await this.configs.list(userId);
    this.events.publish(userId, new ParleyEvent('config.changed', { configs }));
    return configs;
  }
}
