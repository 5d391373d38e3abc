import { Injectable } from '@nestjs/common';
import type { QueryDeepPartialEntity } from 'typeorm';
import { AiService } from '../ai/ai.service.js';
import { ModelUrlError } from '../ai/provider/provider.error.js';
import { invalidField } from '../common/errors/errors.js';
import { stripBidiControls } from '../common/text/visible-text.js';
import { mergeParams } from '../common/validation/model-params.dto.js';
import { EncryptionService } from '../encryption/encryption.service.js';
import { type CreateConfigDto, DEFAULT_CONTEXT_TOKENS, type UpdateConfigDto } from './config.dto.js';
import type { ModelConfig } from './model-config.entity.js';
import { hasCredentialInQuery, haveSameOrigin, normalizeModelUrl } from './model-url.js';

/** TypeORM's type does not allow for JSON columns. */
export type ConfigChanges = QueryDeepPartialEntity<ModelConfig>;

/** Checks input and makes columns of it. */
@Injectable()
export class ConfigColumns {
  constructor(
    private readonly encryption: EncryptionService,
    private readonly ai: AiService,
  ) {}

  /** @param userId null for a shared configuration */
  create(userId: number | null, dto: CreateConfigDto): Omit<ModelConfig, 'id'> {
    const now = new Date();
    return {
      userId,
      name: dto.name ?? stripBidiControls(dto.model_name),
      modelUrl: this.validModelUrl(dto.model_url),
      modelName: dto.model_name,
      encryptedApiKey: this.encryption.encrypt(dto.api_key ?? ''),
      contextTokens: dto.context_tokens ?? DEFAULT_CONTEXT_TOKENS,
      params: { ...mergeParams({}, dto.params ?? {}) },
      enabled: true,
      dailyTokensPerUser: null,
      sharedDefault: null,
      createdAt: now,
      updatedAt: now,
    };
  }

  /** @returns null if nothing changes */
  changesTo(config: ModelConfig, dto: UpdateConfigDto, others: ConfigChanges = {}): ConfigChanges | null {
    const changes: Partial<ModelConfig> = {
      ...(dto.name !== undefined && { name: dto.name }),
      ...(dto.model_url !== undefined && { modelUrl: this.validModelUrl(dto.model_url) }),
      ...(dto.model_name !== undefined && { modelName: dto.model_name }),
      ...(dto.api_key !== undefined && { encryptedApiKey: this.encryption.encrypt(dto.api_key) }),
      ...(dto.context_tokens !== undefined && { contextTokens: dto.context_tokens }),
      ...(dto.params !== undefined && { params: { ...mergeParams({}, dto.params) } }),
      ...(others as object),
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
}
