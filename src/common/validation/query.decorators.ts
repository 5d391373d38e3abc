import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { IsOptionalNotNull } from './optional.decorator.js';

const MAX_INT32 = 2 ** 31 - 1;

interface IntegerRange {
  min: number;
  max?: number;
  /** The property's initial value, for OpenAPI. */
  default?: number;
  description: string;
}

/** Treats an empty parameter (`q=`), sent by forms, as absent. */
export const EmptyIsAbsent = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (value === '' ? undefined : value));

/** An integer in a query. A repeated parameter is refused, and so is an empty one if there is a default. */
export function QueryInteger({ min, max = Number.MAX_SAFE_INTEGER, ...documents }: IntegerRange) {
  return applyDecorators(
    ...(documents.default === undefined ? [EmptyIsAbsent()] : []),
    ApiPropertyOptional({
      type: 'integer',
      format: max <= MAX_INT32 ? 'int32' : 'int64',
      minimum: min,
      maximum: max,
      ...documents,
    }),
    Transform(({ value }: { value: unknown }) => (isInteger(value) ? Number(value) : value)),
    IsOptionalNotNull(),
    IsInt(),
    Min(min),
    Max(max),
  );
}

const BOOLEANS = new Map<unknown, boolean>([
  ['true', true],
  ['false', false],
]);

/** A boolean in a query. */
export function QueryBoolean(documents: { description: string }) {
  return applyDecorators(
    ApiPropertyOptional({ type: 'boolean', ...documents }),
    EmptyIsAbsent(),
    Transform(({ value }: { value: unknown }) => BOOLEANS.get(value) ?? value),
    IsOptionalNotNull(),
    IsBoolean(),
  );
}

function isInteger(value: unknown): boolean {
  return typeof value === 'string' && /^-?\d+$/.test(value);
}
