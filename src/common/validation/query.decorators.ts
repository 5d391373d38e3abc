import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsInt, Max, Min } from 'class-validator';
import { IsOptionalNotNull } from './optional.decorator.js';

interface IntegerRange {
  min: number;
  max?: number;
  /** What the property starts with, for the documents. */
  default?: number;
  description?: string;
}

/** Takes `q=`, as a form sends an empty field, for absent. */
export const EmptyIsAbsent = (): PropertyDecorator =>
  Transform(({ value }: { value: unknown }) => (value === '' ? undefined : value));

/**
 * A whole number in a query. A repeated parameter, which comes as an array, is none; neither is an empty one, where there
 * is a default that it would have to stand for.
 */
export function QueryInteger({ min, max = Number.MAX_SAFE_INTEGER, ...documents }: IntegerRange) {
  return applyDecorators(
    ...(documents.default === undefined ? [EmptyIsAbsent()] : []),
    ApiPropertyOptional({ type: 'integer', minimum: min, maximum: max, ...documents }),
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

/** `true` or `false` in a query. */
export function QueryBoolean(documents: { description?: string } = {}) {
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
