import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, type QueryDeepPartialEntity } from 'typeorm';
import type { Actor } from '../auth/actor.js';
import { AiService } from '../ai/ai.service.js';
import { ModelUrlError } from '../ai/provider/provider.error.js';
import { AuditLog } from '../audit/audit-log.js';
import { invalidField } from '../common/errors/errors.js';
import { mergeParams } from '../common/validation/model-params.dto.js';
import { stripBidiControls } from '../common/text/visible-text.js';
import { EncryptionService } from '../encryption/encryption.service.js';
import { ConfigDto, CreateConfigDto, DEFAULT_CONTEXT_TOKENS, UpdateConfigDto } from './config.dto.js';
import { getOwned, assertBelowLimit, setDefault, withUserLock } from './config-rows.js';
import { configNotFound } from './configs.errors.js';
import { ConfigsService } from './configs.service.js';
import { ModelConfig } from './model-config.entity.js';
import { hasCredentialInQuery, haveSameOrigin, normalizeModelUrl } from './model-url.js';

/** TypeORM's type does not allow for JSON columns. */
type ConfigChanges = QueryDeepPartialEntity<ModelConfig>;

/** Changes a user's configurations, publishes `config.changed`, and audits changes of keys. */
@Injectable()
export class ConfigChangesService {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly configs: ConfigsService,
    private readonly encryption: EncryptionService,
    private readonly ai: AiService,
    private readonly audit: AuditLog,
  ) {}

  async create(actor: Actor, dto: CreateConfigDto): Promise<ConfigDto> {
    const { userId } = actor;
    const config = Object.assign(new ModelConfig(), this.newConfig(userId, dto));
    await withUserLock(this.dataSource, userId, async (manager) => {
      await assertBelowLimit(manager, userId);
      await manager.save(config);
      if (dto.is_default) await setDefault(manager, config, true);
    });
    this.audit.record('config.created', actor, { details: { id: config.id } });
    return this.publishChange(userId, config.id);
  }

  async update(actor: Actor, id: number, dto: UpdateConfigDto): Promise<ConfigDto> {
    const { userId } = actor;
    await withUserLock(this.dataSource, userId, async (manager) => {
      const config = await getOwned(manager, userId, id);
      const changes = this.changesTo(config, dto);
      // Not save(), which would overwrite a key that keys:rotate has re-encrypted meanwhile.
      if (changes) await manager.update(ModelConfig, { id }, changes);
      if (dto.is_default !== undefined) await setDefault(manager, config, dto.is_default);
    });
    const details = { id, key_changed: dto.api_key !== undefined };
    this.audit.record('config.updated', actor, { details });
    return this.publishChange(userId, id);
  }

  async delete(actor: Actor, id: number): Promise<void> {
    const { userId } = actor;
    await withUserLock(this.dataSource, userId, async (manager) => {
      await getOwned(manager, userId, id);
      await manager.delete(ModelConfig, { id });
    });
    this.audit.record('config.deleted', actor, { details: { id } });
    await this.configs.publishChange(userId);
  }

  private newConfig(userId: number, dto: CreateConfigDto): Omit<ModelConfig, 'id'> {
    const now = new Date();
    return {
      userId,
      name: dto.name ?? stripBidiControls(dto.model_name),
      modelUrl: this.validModelUrl(dto.model_url),
      modelName: dto.model_name,
      encryptedApiKey: this.encryption.encrypt(dto.api_key ?? ''),
      contextTokens: dto.context_tokens ?? DEFAULT_CONTEXT_TOKENS,
      params: { ...mergeParams({}, dto.params ?? {}) },
      createdAt: now,
      updatedAt: now,
    };
  }

  /** @returns null if nothing changes */
  private changesTo(config: ModelConfig, dto: UpdateConfigDto): ConfigChanges | null {
    const changes: Partial<ModelConfig> = {
      ...(dto.name !== undefined && { name: dto.name }),
      ...(dto.model_url !== undefined && { modelUrl: this.validModelUrl(dto.model_url) }),
      ...(dto.model_name !== undefined && { modelName: dto.model_name }),
      ...(dto.api_key !== undefined && { encryptedApiKey: this.encryption.encrypt(dto.api_key) }),
      ...(dto.context_tokens !== undefined && { contextTokens: dto.context_tokens }),
      ...(dto.params !== undefined && { params: { ...mergeParams({}, dto.params) } }),
    };
    // A stored key is never sent to another origin than the one it was entered for.
    if (
      changes.modelUrl &&
      dto.api_key === undefined &&
      this.movesKeyToOtherOrigin(config, changes.modelUrl)
    ) {
      throw invalidField('api_key', 'Must be sent again, as model_url has another scheme, host or port now.');
    }
    return Object.keys(changes).length > 0 ? ({ ...changes, updatedAt: new Date() } as ConfigChanges) : null;
  }

  /** An unreadable key counts as a key. */
  private movesKeyToOtherOrigin({ modelUrl, encryptedApiKey }: ModelConfig, changed: string): boolean {
    if (haveSameOrigin(changed, modelUrl)) return false;
    return !this.encryption.isReadable(encryptedApiKey) || this.encryption.decrypt(encryptedApiKey) !== '';
  }

  /** @returns the normalized URL */
  private validModelUrl(text: string): string {
    const modelUrl = normalizeModelUrl(text);
    if (hasCredentialInQuery(modelUrl)) {
      throw invalidField('model_url', 'Must not carry a credential in its query: send it as api_key.');
    }
    try {
      this.ai.checkUrl(modelUrl);
    } catch (error) {
      throw error instanceof ModelUrlError ? invalidField('model_url', `It ${error.message}.`) : error;
    }
    return modelUrl;
  }

  private async publishChange(userId: number, id: number): Promise<ConfigDto> {
    const config = (await this.configs.publishChange(userId)).find((one) => one.id === id);
    if (!config) throw configNotFound();
    return config;
  }
}
