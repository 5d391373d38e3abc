import { ArgumentMetadata, Injectable, ValidationError, ValidationPipe } from '@nestjs/common';
import { FieldError, ValidationFailedError } from '../errors/errors.js';
import { dtoError, jsonError } from './json-error.js';

const SHARED = {
  transform: true,
  // What is absent leaves no property behind: not over a default, nor for code that asks which fields were sent.
  transformOptions: { exposeUnsetFields: false },
  whitelist: true,
  forbidUnknownValues: true,
  stopAtFirstError: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors: ValidationError[]) => new ValidationFailedError(fieldErrors(errors)),
};

@Injectable()
class BodyPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (isValidated(value, metadata)) return value;
    const fault = metadata.type === 'body' ? bodyError(value, metadata) : undefined;
    if (fault) throw new ValidationFailedError([fault]);
    return super.transform(value, metadata);
  }
}

/** The demo model alone takes a body without a DTO: conversations, which are long. */
function bodyError(value: unknown, { metatype }: ArgumentMetadata): FieldError | undefined {
  return metatype === undefined || metatype === Object ? jsonError(value) : dtoError(value);
}

/** Global pipes reach gateways too since Nest 12, so that what comes in there may have been through one already. */
function isValidated(value: unknown, { metatype }: ArgumentMetadata): boolean {
  return metatype !== undefined && metatype !== Object && value instanceof metatype;
}

/** Bodies, and what sockets send, are held to their DTO: every bad field is named, unknown ones included. */
export const bodyPipe = () => new BodyPipe({ ...SHARED, forbidNonWhitelisted: true });

/** Queries are held to their DTO too, but what it does not know is ignored. */
export const queryPipe = () => new ValidationPipe(SHARED);

export function fieldErrors(errors: ValidationError[], prefix = ''): FieldError[] {
  return errors.flatMap((error) => {
    const field = prefix + error.property;
    const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
    return [...own, ...fieldErrors(error.children ?? [], `${field}.`)];
  });
}
