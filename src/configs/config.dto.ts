import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, Matches, Max, Min } from 'class-validator';
import type { ProviderTest } from '../ai/ai.service.js';
import type { ProviderErrorCode } from '../ai/provider/provider.error.js';
import { IsModelParams, ModelParams, withStopList } from '../common/validation/model-params.dto.js';
import { IsOptionalNotNull } from '../common/validation/optional.decorator.js';
import { IsLabel, IsText, Trimmed } from '../common/validation/text.decorator.js';
import type { ModelConfig } from './model-config.entity.js';

const MAX_URL_LENGTH = 2048;
const MAX_KEY_LENGTH = 4096;
export const DEFAULT_CONTEXT_TOKENS = 32_768;

/** Optional fields of a configuration. */
class ConfigOptionsDto {
  /** Display name; defaults to the model's name. */
  @ApiPropertyOptional({ example: 'Work' })
  @IsOptionalNotNull()
  @IsLabel(200)
  name?: string;

  /** The default is used by conversations without a configuration of their own. The first configuration becomes the default. */
  @ApiPropertyOptional({ type: 'boolean', example: true })
  @IsOptionalNotNull()
  @IsBoolean()
  is_default?: boolean;

  /** The model's context window in tokens, which bounds prompt and reply together. */
  @ApiPropertyOptional({
    type: 'integer',
    default: DEFAULT_CONTEXT_TOKENS,
    example: 128_000,
  })
  @IsOptionalNotNull()
  @Min(256)
  @Max(10_000_000)
  @IsInt()
  context_tokens?: number;

  @IsModelParams()
  params?: ModelParams;
}

export class CreateConfigDto extends ConfigOptionsDto {
  /** An OpenAI-compatible base URL. A trailing slash or `/chat/completions` is removed, a query is kept. */
  @ApiProperty({ example: 'https://api.openai.com/v1' })
  @Trimmed()
  @IsModelUrl()
  model_url!: string;

  @ApiProperty({ example: 'gpt-4.1-mini' })
  @Trimmed()
  @IsText({ min: 1, max: 200, visible: true })
  model_name!: string;

  /** Stored encrypted and never returned. Absent or empty for a provider without keys, such as Ollama. */
  @ApiPropertyOptional({ example: 'sk-your-key' })
  @IsOptionalNotNull()
  @Trimmed()
  @IsApiKey()
  api_key?: string;
}

export class UpdateConfigDto extends ConfigOptionsDto {
  /** Changing scheme, host or port requires the `api_key` in the same request. */
  @ApiPropertyOptional({ example: 'https://api.openai.com/v1' })
  @IsOptionalNotNull()
  @Trimmed()
  @IsModelUrl()
  model_url?: string;

  @ApiPropertyOptional({ example: 'gpt-4.1' })
  @IsOptionalNotNull()
  @Trimmed()
  @IsText({ min: 1, max: 200, visible: true })
  model_name?: string;

  /** Stored encrypted and never returned. Empty removes the key. */
  @ApiPropertyOptional({ example: 'sk-your-new-key' })
  @IsOptionalNotNull()
  @Trimmed()
  @IsApiKey()
  api_key?: string;
}

/** A configuration without its key. */
export class ConfigDto {
  @ApiProperty({ type: 'integer', example: 1 })
  id!: number;

  @ApiProperty({ example: 'Work' })
  name!: string;

  /** Null for a shared configuration, whose provider is the operator's. */
  @ApiProperty({ type: 'string', nullable: true, example: 'https://api.openai.com/v1' })
  model_url!: string | null;

  @ApiProperty({ example: 'gpt-4.1-mini' })
  model_name!: string;

  /** Whether the operator shares it with all users, who can choose it but not change, test or list models of it. */
  @ApiProperty({ example: false })
  shared!: boolean;

  /** True for exactly one configuration, if any exist: an own one, or the shared default of a user without any. */
  @ApiProperty({ example: true })
  is_default!: boolean;

  @ApiProperty({ type: 'integer', example: 128_000 })
  context_tokens!: number;

  @ApiProperty({ type: () => ModelParams, example: { temperature: 0.7 } })
  params!: ModelParams;

  /** `unreadable` if none of the server's encryption keys decrypts the stored key: send the `api_key` again. */
  @ApiProperty({ enum: ['ok', 'unreadable'], example: 'ok' })
  key_status!: 'ok' | 'unreadable';

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  created_at!: string;

  @ApiProperty({ format: 'date-time', example: '2026-01-31T09:30:00.000Z' })
  updated_at!: string;

  static from(config: ModelConfig, state: { isDefault: boolean; isReadable: boolean }): ConfigDto {
    return Object.assign(new ConfigDto(), {
      id: config.id,
      name: config.name,
      model_url: config.userId === null ? null : config.modelUrl,
      model_name: config.modelName,
      shared: config.userId === null,
      is_default: state.isDefault,
      context_tokens: config.contextTokens,
      params: withStopList(config.params),
      key_status: state.isReadable ? 'ok' : 'unreadable',
      created_at: config.createdAt.toISOString(),
      updated_at: config.updatedAt.toISOString(),
    } satisfies ConfigDto);
  }
}

export class ConfigListDto {
  @ApiProperty({ type: () => [ConfigDto] })
  configs!: ConfigDto[];

  @ApiProperty({ type: 'integer', example: 1 })
  total!: number;

  static from(configs: ConfigDto[]): ConfigListDto {
    return Object.assign(new ConfigListDto(), { configs, total: configs.length });
  }
}

export class ConfigErrorDto {
  @ApiProperty({ example: 'upstream_auth' })
  code!: ProviderErrorCode;

  /** The provider's sentence, if it sent one. */
  @ApiProperty({ example: 'Incorrect API key provided.' })
  detail!: string;

  /** A suggested change, if one is known. */
  @ApiPropertyOptional({
    example: 'The provider answers under /v1: set model_url to https://example.com/v1.',
  })
  hint?: string;
}

export class ConfigTestResultDto {
  @ApiProperty({ example: true })
  ok!: boolean;

  @ApiProperty({ type: 'integer', format: 'int32', example: 412 })
  latency_ms!: number;

  @ApiProperty({ example: 'gpt-4.1-mini' })
  model!: string;

  /** The error, if the test failed. */
  @ApiPropertyOptional({ type: () => ConfigErrorDto })
  error?: ConfigErrorDto;

  static from({ ok, latencyMs, model, error }: ProviderTest): ConfigTestResultDto {
    const problem = error && { code: error.code, detail: error.detail, hint: error.hint };
    return Object.assign(new ConfigTestResultDto(), { ok, latency_ms: latencyMs, model, error: problem });
  }
}

export class ModelListDto {
  @ApiProperty({ type: [String], example: ['gpt-4.1', 'gpt-4.1-mini'] })
  models!: string[];
}

/** Checks the form only. AiService checks the destination. */
function IsModelUrl(): PropertyDecorator {
  const message = `Must be a URL of at most ${MAX_URL_LENGTH} characters, without white space or a fragment.`;
  return applyDecorators(
    ApiProperty({ minLength: 1, maxLength: MAX_URL_LENGTH }),
    Matches(new RegExp(`^[^\\s\\p{C}#]{1,${MAX_URL_LENGTH}}$`, 'u'), { message }),
  );
}

/** Sent as a header, so limited to printable ASCII. */
function IsApiKey(): PropertyDecorator {
  const message = `Must be at most ${MAX_KEY_LENGTH} printable ASCII characters without spaces.`;
  return applyDecorators(
    ApiProperty({ maxLength: MAX_KEY_LENGTH }),
    Matches(new RegExp(`^[\\x21-\\x7e]{0,${MAX_KEY_LENGTH}}$`), { message }),
  );
}
