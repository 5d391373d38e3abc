import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsOptional, Max, Min } from 'class-validator';
import { IsOptionalNotNull } from '../../common/validation/optional.decorator.js';
import { ConfigDto, CreateConfigDto, UpdateConfigDto } from '../../configs/config.dto.js';
import type { ModelConfig } from '../../configs/model-config.entity.js';

const MAX_TOKENS = 1e12;

function IsDailyTokens(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({
      type: 'integer',
      format: 'int64',
      nullable: true,
      minimum: 1,
      maximum: MAX_TOKENS,
    }),
    IsOptional(),
    IsInt(),
    Min(1),
    Max(MAX_TOKENS),
  );
}

export class CreateSharedConfigDto extends CreateConfigDto {
  /** Whether users see it. */
  @ApiPropertyOptional({ type: 'boolean', default: true })
  @IsOptionalNotNull()
  @IsBoolean()
  enabled?: boolean;

  /** Tokens that each user may use of it per day (UTC), prompts and titles included. Null for any number. */
  @IsDailyTokens()
  daily_tokens_per_user?: number | null;
}

export class UpdateSharedConfigDto extends UpdateConfigDto {
  /** Conversations that use a disabled one answer with the default. */
  @ApiPropertyOptional({ type: 'boolean' })
  @IsOptionalNotNull()
  @IsBoolean()
  enabled?: boolean;

  /** Tokens that each user may use of it per day (UTC), prompts and titles included. Null for any number. */
  @IsDailyTokens()
  daily_tokens_per_user?: number | null;
}

/** A shared configuration as administrators see it: with its URL, without its key. */
export class SharedConfigDto extends ConfigDto {
  @ApiProperty({ example: true })
  enabled!: boolean;

  @ApiProperty({ type: 'integer', nullable: true, example: 100_000 })
  daily_tokens_per_user!: number | null;

  static of(config: ModelConfig, state: { isDefault: boolean; isReadable: boolean }): SharedConfigDto {
    return Object.assign(new SharedConfigDto(), ConfigDto.from(config, state), {
      model_url: config.modelUrl,
      enabled: config.enabled,
      daily_tokens_per_user: config.dailyTokensPerUser,
    });
  }
}

export class SharedConfigListDto {
  @ApiProperty({ type: () => [SharedConfigDto] })
  configs!: SharedConfigDto[];

  @ApiProperty({ type: 'integer', example: 1 })
  total!: number;

  static from(configs: SharedConfigDto[]): SharedConfigListDto {
    return Object.assign(new SharedConfigListDto(), { configs, total: configs.length });
  }
}
