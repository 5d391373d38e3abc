import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsEmail, Matches, ValidateBy } from 'class-validator';
import { IsText } from '../common/text.decorator.js';
import { foldName } from './fold-name.js';

/** The column's length, which composed characters can outgrow when they are folded. */
const MAX_KEY_LENGTH = 255;

export const IsUsername = (): PropertyDecorator =>
  applyDecorators(
    IsText({ min: 3, max: 50 }),
    Matches(/^\S(.*\S)?$/su, { message: 'Must not begin or end with white space.' }),
    Matches(/^[^\p{Control}\p{Line_Separator}\p{Paragraph_Separator}]*$/u, {
      message: 'Must not contain control characters.',
    }),
    HasKey(),
  );

/** An address is trimmed and lower-cased before it is looked at. */
export const IsEmailAddress = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.trim().toLowerCase() : value,
    ),
    IsText({ max: 255 }),
    IsEmail({}, { message: 'Must be an email address.' }),
  );

/** A password that is being chosen; see also `refuseGuessablePassword`. */
export const IsPassword = (): PropertyDecorator => IsText({ min: 8, max: 128 });

function HasKey(): PropertyDecorator {
  return ValidateBy(
    { name: 'hasKey', validator: { validate: isKeyable } },
    { message: 'Must have characters that can be seen.' },
  );
}

function isKeyable(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const { length } = foldName(value).trim();
  return length > 0 && length <= MAX_KEY_LENGTH;
}
