import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { AiService } from '../ai/ai.service.js';
import { logProviderError } from '../ai/errors/provider-error-log.js';
import { ProviderError } from '../ai/provider/provider.error.js';
import type { ModelProvider } from '../ai/provider/provider.js';
import { NotFoundError, ProblemError } from '../common/errors/errors.js';
import { EncryptionService, UnreadableTokenError } from '../encryption/encryption.service.js';
import { RawEntityQuery, type Row } from '../database/raw-entity-query.js';
import { ConfigDto, ConfigTestResultDto, DEFAULT_CONTEXT_TOKENS } from './config.dto.js';
import { ConfigLists } from './config-lists.service.js';
import { CONVERSATION_CONFIG, getOwned, usableBy } from './config-rows.js';
import { keyUnreadable, noModelConfig, unknownConfigId } from './configs.errors.js';
import { DemoProvider } from './demo-provider.js';
import { ModelConfig } from './model-config.entity.js';

/** A configuration ready for a completion. */
export interface ResolvedConfig {
  /** Null for the demo model. */
  configId: number | null;
  contextTokens: number;
  /** Tokens that the user may use of it per day (UTC); null for any number. */
  dailyTokensPerUser: number | null;
  /** Holds the decrypted key: use it for one call and do not store it. */
  provider: ModelProvider;
}

/** Reads and tests a user's model configurations. */
@Injectable()
export class ConfigsService {
  private readonly rows: RawEntityQuery<ModelConfig>;

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly encryption: EncryptionService,
    private readonly ai: AiService,
    private readonly demo: DemoProvider,
    private readonly lists: ConfigLists,
  ) {
    this.rows = new RawEntityQuery(dataSource, ModelConfig, 'c');
  }

  /** The user's own configurations, then the shared ones; oldest first. */
  async list(userId: number): Promise<ConfigDto[]> {
    const lists = await this.lists.read([userId]);
    return lists.get(userId) ?? lists.sharedOnly;
  }

  /** Requests a tiny completion. A failure of the provider is returned, not thrown. */
  async test(userId: number, id: number): Promise<ConfigTestResultDto> {
    return this.testProvider(userId, id, await this.getProvider(userId, id));
  }

  /** As {@link test}, for administrators, who see the provider's errors as they are. */
  async testShared(userId: number, config: ModelConfig): Promise<ConfigTestResultDto> {
    return this.testProvider(userId, config.id, { ...this.toProvider(userId, config), hidesUrl: false });
  }

  private async testProvider(
    userId: number,
    id: number,
    provider: ModelProvider,
  ): Promise<ConfigTestResultDto> {
    const result = await this.ai.test(provider);
    if (result.error) logProviderError({ task: 'test', user_id: userId, config_id: id }, result.error);
    return ConfigTestResultDto.from(result);
  }

  /** @throws {ProblemError} `upstream_*` */
  async listModels(userId: number, id: number): Promise<string[]> {
    const provider = await this.getProvider(userId, id);
    try {
      return await this.ai.listModels(provider);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      logProviderError({ task: 'models', user_id: userId, config_id: id }, error);
      throw new ProblemError(502, error.code, error.detail);
    }
  }

  /**
   * Reads a conversation's configuration: its own, or else the user's default. Null if the user has none.
   * @throws {NotFoundError} also for another user's conversation
   */
  async findForConversation(userId: number, conversationId: number): Promise<ModelConfig | null> {
    const statement = `SELECT ${this.rows.columns} ${CONVERSATION_CONFIG}`;
    const [row] = await this.dataSource.query<Row[]>(statement, [conversationId, userId]);
    if (!row) throw new NotFoundError('conversation');
    return row.c_id === null ? null : this.rows.read(row);
  }

  /** As {@link findForConversation}, ready for use. @throws {ConflictError} `no_model_config`, `key_unreadable` */
  async resolveForConversation(userId: number, conversationId: number): Promise<ResolvedConfig> {
    return this.resolveFound(userId, await this.findForConversation(userId, conversationId));
  }

  /**
   * Resolves a configuration that was read for the user before; null resolves to the demo model.
   * @throws {ConflictError} `no_model_config`, `key_unreadable`
   */
  resolveFound(userId: number, config: ModelConfig | null): ResolvedConfig {
    return config ? this.toResolved(userId, config) : this.resolveDemo();
  }

  /**
   * @throws {ConflictError} `key_unreadable`
   * @throws {ValidationFailedError} if the configuration is not the user's
   */
  async resolve(userId: number, configId: number): Promise<ResolvedConfig> {
    const config = await this.dataSource.manager.findOneBy(ModelConfig, usableBy(userId, configId));
    if (!config) throw unknownConfigId();
    return this.toResolved(userId, config);
  }

  private toResolved(userId: number, config: ModelConfig): ResolvedConfig {
    const { id, contextTokens, dailyTokensPerUser } = config;
    return { configId: id, contextTokens, dailyTokensPerUser, provider: this.toProvider(userId, config) };
  }

  private resolveDemo(): ResolvedConfig {
    const provider = this.demo.get();
    if (!provider) throw noModelConfig();
    return { configId: null, contextTokens: DEFAULT_CONTEXT_TOKENS, dailyTokensPerUser: null, provider };
  }

  private async getProvider(userId: number, id: number): Promise<ModelProvider> {
    return this.toProvider(userId, await getOwned(this.dataSource.manager, userId, id));
  }

  private toProvider(userId: number, config: ModelConfig): ModelProvider {
    const { modelUrl, modelName, params, encryptedApiKey } = config;
    try {
      const apiKey = this.encryption.decrypt(encryptedApiKey);
      const sharing = config.userId === null ? { hidesUrl: true, sharedWith: userId } : { hidesUrl: false };
      return { modelUrl, modelName, params, apiKey, ...sharing };
    } catch (error) {
      if (!(error instanceof UnreadableTokenError)) throw error;
      throw keyUnreadable(config);
    }
  }
}
