import { ArgumentMetadata, Injectable, ValidationError, ValidationPipe } from '@nestjs/common';
import { FieldError, ValidationFailedError } from '../errors/errors.js';
import { dtoError, jsonError } from './json-error.js';

const SHARED = {
  transform: true,
  // Absent fields leave no property, so that defaults hold and code can see which fields were sent.
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
    const error = metadata.type === 'body' ? bodyError(value, metadata) : undefined;
    if (error) throw new ValidationFailedError([error]);
    return super.transform(value, metadata);
  }
}

/** Only the demo model has no DTO: its bodies are long conversations. */
function bodyError(value: unknown, { metatype }: ArgumentMetadata): FieldError | undefined {
  return metatype === undefined || metatype === Object ? jsonError(value) : dtoError(value);
}

/** Nest 12 runs global pipes on gateways too, so a value may have been validated already. */
function isValidated(value: unknown, { metatype }: ArgumentMetadata): boolean {
  return metatype !== undefined && metatype !== Object && value instanceof metatype;
}

/** Validates bodies and socket commands against their DTO: reports every invalid field, unknown ones included. */
export const bodyPipe = () => new BodyPipe({ ...SHARED, forbidNonWhitelisted: true });

/** Validates queries against their DTO; unknown parameters are ignored. */
export const queryPipe = () => new ValidationPipe(SHARED);

function fieldErrors(errors: ValidationError[], prefix = ''): FieldError[] {
  return errors.flatMap((error) => {
    const field = prefix + error.property;
    const own = Object.values(error.constraints ?? {}).map((message) => ({ field, message }));
    return [...own, ...fieldErrors(error.children ?? [], `${field}.`)];
  });
}
