import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ApiProperty } from '@nestjs/swagger';
import { ValidateBy, type ValidationArguments } from 'class-validator';
import { isHighSurrogate, isLowSurrogate } from '../text/utf16.js';
import { isVisible, stripBidiControls, trimInvisible } from '../text/visible-text.js';

export interface TextOptions {
  /** In Unicode code points. */
  min?: number;
  /** In Unicode code points. */
  max: number;
  /** Refuses white space alone. */
  notBlank?: boolean;
  /** Refuses text without a visible character. */
  visible?: boolean;
}

/**
 * Text that is stored unchanged. Refuses NULs (at which SQLite cuts) and lone surrogates (which UTF-8 cannot encode).
 * Lengths are in Unicode code points, and are also documented in OpenAPI.
 */
export function IsText(options: TextOptions): PropertyDecorator {
  const validator = {
    validate: (value: unknown) => textError(value, options) === undefined,
    defaultMessage: (args?: ValidationArguments) => textError(args?.value, options) ?? '',
  };
  return applyDecorators(
    ApiProperty({ minLength: options.min, maxLength: options.max }),
    ValidateBy({ name: 'isText', constraints: [options], validator }),
  );
}

/** Removes surrounding white space and invisible characters before validation. */
export function Trimmed(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? trimInvisible(value) : value,
  );
}

/** A name chosen by the user, without directional controls, which would reorder the text around it. */
export const IsLabel = (max: number): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? stripBidiControls(value) : value,
    ),
    IsText({ min: 1, max, visible: true }),
  );

/** @returns the error of a value that must be text, as a sentence, or undefined */
export function textError(
  value: unknown,
  { min = 0, max, notBlank, visible }: TextOptions,
): string | undefined {
  if (typeof value !== 'string') return 'Must be text.';
  const length = codePoints(value);
  if (length < min) return `Must have at least ${characters(min)}.`;
  if (length > max) return `Must have at most ${characters(max)}.`;
  if (value.includes('\0')) return 'Must not contain the character NUL.';
  if (/\p{Surrogate}/u.test(value)) return 'Must be well-formed Unicode, without lone surrogates.';
  if (notBlank && value.trim() === '') return 'Must not be only white space.';
  if (visible && !isVisible(value)) return 'Must have characters that can be seen.';
  return undefined;
}

function codePoints(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    if (isHighSurrogate(text.charCodeAt(i - 1)) && isLowSurrogate(text.charCodeAt(i))) count--;
  }
  return count;
}

const characters = (count: number) => (count === 1 ? '1 character' : `${count} characters`);
