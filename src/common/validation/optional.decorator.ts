import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateIf } from 'class-validator';

/** Treats null, sent by generated clients, as absent. `IsOptional` would keep the null. */
export const IsOptionalNotNull = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => value ?? undefined),
    ValidateIf((_, value) => value !== undefined),
  );
