import { Transform } from 'class-transformer';
import { registerDecorator, type ValidationArguments } from 'class-validator';
import { isHighSurrogate, isLowSurrogate } from './utf16.js';

export interface TextOptions {
  /** In Unicode code points. */
  min?: number;
  /** In Unicode code points. */
  max: number;
  /** Whether text of white space alone is refused. */
  notBlank?: boolean;
}

/**
 * Text that is kept exactly as it was sent: NULs (which SQLite cuts at) and lone surrogates (which UTF-8 cannot
 * carry) are refused, and lengths are counted in Unicode code points.
 */
export function IsText(options: TextOptions): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isText',
      target: target.constructor,
      propertyName: String(property),
      constraints: [options],
      validator: {
        validate: (value: unknown) => textFault(value, options) === undefined,
        defaultMessage: (args?: ValidationArguments) => textFault(args?.value, options) ?? '',
      },
    });
}

/** Removes white space around a text before it is validated. */
export function Trimmed(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value));
}

/** @returns what is wrong with a value that has to be text, as a sentence; undefined where nothing is */
export function textFault(value: unknown, { min = 0, max, notBlank }: TextOptions): string | undefined {
  if (typeof value !== 'string') return 'Must be text.';
  const length = codePoints(value);
  if (length < min) return `Must have at least ${characters(min)}.`;
  if (length > max) return `Must have at most ${characters(max)}.`;
  if (value.includes('\0')) return 'Must not contain the character NUL.';
  if (/\p{Surrogate}/u.test(value)) return 'Must be well-formed Unicode, without lone surrogates.';
  if (notBlank && value.trim() === '') return 'Must not be only white space.';
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
