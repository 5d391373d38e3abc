import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { isEmail, Matches, ValidateBy } from 'class-validator';
import { foldText } from '../common/text/fold-text.js';
import { IsText } from '../common/validation/text.decorator.js';
import { isVisible, stripBidiControls } from '../common/text/visible-text.js';
import { emailKey } from '../common/text/email-key.js';

/** Length of the column. Folding can lengthen text. */
const MAX_KEY_LENGTH = 255;

export const IsUsername = (): PropertyDecorator =>
  applyDecorators(
    IsText({ min: 3, max: 50 }),
    Matches(/^\S(.*\S)?$/su, { message: 'Must not begin or end with white space.' }),
    Matches(/^[^\p{Control}\p{Line_Separator}\p{Paragraph_Separator}]*$/u, {
      message: 'Must not contain control characters.',
    }),
    Matches(/^[^\u202a-\u202e\u2066-\u2069]*$/u, { message: 'Must not contain directional controls.' }),
    Satisfies(isVisibleUsername, 'Must have characters that can be seen.'),
  );

/** Validates a new email address, after trimming, lower-casing and removing directional controls. */
export const IsEmailAddress = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? stripBidiControls(value).trim().toLowerCase() : value,
    ),
    IsText({ max: 255 }),
    Satisfies((email) => emailKey(email) !== null, 'Must be an email address.'),
  );

/** Validates an email address at login. Earlier versions accepted some that have no key. */
export const IsLoginEmail = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.trim().toLowerCase() : value,
    ),
    IsText({ max: 255 }),
    Satisfies((email) => emailKey(email) !== null || isEmail(email), 'Must be an email address.'),
  );

/** Validates a new password; see also `refuseGuessablePassword`. */
export const IsPassword = (): PropertyDecorator => IsText({ min: 8, max: 128 });

function Satisfies(isValid: (text: string) => boolean, message: string): PropertyDecorator {
  const validate = (value: unknown) => typeof value === 'string' && isValid(value);
  return ValidateBy({ name: message, validator: { validate } }, { message });
}

function isVisibleUsername(username: string): boolean {
  return isVisible(username) && foldText(username).length <= MAX_KEY_LENGTH;
}
