import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsOptionalNotNull } from './optional.decorator.js';
import { textError } from './text.decorator.js';

const MAX_JSON_BYTES = 16 * 1024;
const MAX_DEPTH = 8;
const MAX_TOKENS = 10_000_000;
const MAX_STOPS = 4;
const MAX_STOP_CHARACTERS = 1000;
const LENGTH_NAMES = ['max_tokens', 'max_completion_tokens'] as const;

/** Compared in lower case, because servers written in Go ignore case. */
const OWN_MEMBERS = new Set(['model', 'messages', 'stream', 'n']);
const EXTRA_BODY_MESSAGE =
  `Must be an object of at most ${MAX_JSON_BYTES} bytes as JSON, ${MAX_DEPTH} levels deep, ` +
  "without 'model', 'messages', 'stream' and 'n', NULs and lone surrogates.";

/**
 * Further members of a chat completion request, in OpenAI's names. Null in a conversation unsets the configuration's
 * value.
 */
export class ModelParams {
  @InRange(0, 2, 0.7)
  temperature?: number | null;

  @InRange(0, 1)
  top_p?: number | null;

  @IntegerInRange(1, MAX_TOKENS, 1024)
  max_tokens?: number | null;

  @IntegerInRange(1, MAX_TOKENS)
  max_completion_tokens?: number | null;

  @InRange(-2, 2)
  frequency_penalty?: number | null;

  @InRange(-2, 2)
  presence_penalty?: number | null;

  @ApiPropertyOptional({ nullable: true, type: 'integer' })
  @SkipNull()
  @Min(Number.MIN_SAFE_INTEGER)
  @Max(Number.MAX_SAFE_INTEGER)
  @IsInt()
  seed?: number | null;

  /** Texts at which the reply ends. A single text is accepted too, as a list of one. */
  @ApiPropertyOptional({
    nullable: true,
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: MAX_STOP_CHARACTERS },
    minItems: 1,
    maxItems: MAX_STOPS,
  })
  @Transform(({ value }: { value: unknown }) => stopList(value))
  @Satisfies(isStop, 'Must be text, or a list of 1 to 4 texts, of 1 to 1000 characters each.')
  stop?: string[] | null;

  @ApiPropertyOptional({
    nullable: true,
    type: 'object',
    additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
  })
  @Satisfies(isLogitBias, 'Must map token ids to numbers from -100 to 100.')
  logit_bias?: Record<string, number> | null;

  @ApiPropertyOptional({
    nullable: true,
    type: 'string',
    enum: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
  })
  @SkipNull()
  @IsIn(['none', 'minimal', 'low', 'medium', 'high', 'xhigh'])
  reasoning_effort?: string | null;

  @ApiPropertyOptional({
    nullable: true,
    type: 'object',
    properties: { type: { type: 'string', enum: ['text', 'json_object', 'json_schema'] } },
    required: ['type'],
    additionalProperties: true,
  })
  @Satisfies(isResponseFormat, "Must be an object whose type is 'text', 'json_object' or 'json_schema'.")
  response_format?: Record<string, unknown> | null;

  @ApiPropertyOptional({ nullable: true, type: 'string', enum: ['low', 'medium', 'high'] })
  @SkipNull()
  @IsIn(['low', 'medium', 'high'])
  verbosity?: string | null;

  /** Other members of the request, in the provider's own names: Qwen's `enable_thinking`, OpenRouter's `provider`. */
  @ApiPropertyOptional({
    nullable: true,
    type: 'object',
    additionalProperties: true,
    example: { enable_thinking: false },
  })
  @Satisfies(isExtraBody, EXTRA_BODY_MESSAGE)
  extra_body?: Record<string, unknown> | null;
}

/**
 * Validates the parameters of a configuration or a conversation; errors name the member, such as `params.temperature`.
 */
export function IsModelParams(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: () => ModelParams, example: { temperature: 0.7 } }),
    IsOptionalNotNull(),
    // Arrays would be validated as a list of parameters.
    ValidateNested({ message: 'Must be an object.' }),
    IsObject({ message: 'Must be an object.' }),
    ValidateBy({
      name: 'isSmallJson',
      validator: {
        validate: isSmallBesideExtraBody,
        defaultMessage: () =>
          `Must take at most ${MAX_JSON_BYTES} bytes as JSON beside extra_body, ${MAX_DEPTH} levels deep, without NULs or lone surrogates.`,
      },
    }),
    Type(() => ModelParams),
  );
}

/**
 * Merges a conversation's parameters over its configuration's. Null unsets; `max_tokens` and `max_completion_tokens`
 * replace each other.
 */
export function mergeParams(config: ModelParams, conversation: ModelParams): ModelParams {
  const merged = { ...config };
  if (LENGTH_NAMES.some((name) => conversation[name] !== undefined))
    LENGTH_NAMES.forEach((name) => delete merged[name]);
  const set = Object.entries({ ...merged, ...conversation }).filter(([, value]) => value !== null);
  return Object.fromEntries(set);
}

/** Returns stored parameters as they are documented: `stop` was once stored as a single text. */
export function withStopList(params: Record<string, unknown>): Record<string, unknown> {
  return typeof params.stop === 'string' ? { ...params, stop: stopList(params.stop) } : params;
}

const stopList = (stop: unknown) => (typeof stop === 'string' ? [stop] : stop);

function SkipNull(): PropertyDecorator {
  return ValidateIf((_, value) => value !== undefined && value !== null);
}

function InRange(minimum: number, maximum: number, example?: number): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ nullable: true, type: 'number', minimum, maximum, example }),
    SkipNull(),
    IsNumber(),
    Min(minimum),
    Max(maximum),
  );
}

function IntegerInRange(minimum: number, maximum: number, example?: number): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ nullable: true, type: 'integer', minimum, maximum, example }),
    SkipNull(),
    IsInt(),
    Min(minimum),
    Max(maximum),
  );
}

function Satisfies(validate: (value: unknown) => boolean, message: string): PropertyDecorator {
  return applyDecorators(
    SkipNull(),
    ValidateBy({ name: validate.name, validator: { validate, defaultMessage: () => message } }),
  );
}

function isStop(value: unknown): boolean {
  const isText = (text: unknown) => textError(text, { min: 1, max: MAX_STOP_CHARACTERS }) === undefined;
  return Array.isArray(value) && value.length >= 1 && value.length <= MAX_STOPS && value.every(isText);
}

function isLogitBias(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return Object.entries(value).every(
    ([token, bias]) => /^\d{1,10}$/.test(token) && typeof bias === 'number' && Math.abs(bias) <= 100,
  );
}

function isResponseFormat(value: unknown): boolean {
  return isRecord(value) && ['text', 'json_object', 'json_schema'].includes(value.type as string);
}

function isExtraBody(value: unknown): boolean {
  if (!isRecord(value)) return false;
  return isSmallJson(value) && !Object.keys(value).some((name) => OWN_MEMBERS.has(name.toLowerCase()));
}

/** `extra_body` has its own limit. */
function isSmallBesideExtraBody(value: unknown): boolean {
  return isSmallJson(isRecord(value) ? { ...value, extra_body: undefined } : value);
}

function isSmallJson(value: unknown): boolean {
  const json = JSON.stringify(value) ?? '';
  return Buffer.byteLength(json) <= MAX_JSON_BYTES && depthOf(value) <= MAX_DEPTH && isKeepable(value);
}

/** Whether all texts and keys can be stored and sent unchanged. */
function isKeepable(value: unknown): boolean {
  if (typeof value === 'string') return textError(value, { max: Infinity }) === undefined;
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, inner]) => isKeepable(key) && isKeepable(inner));
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
