import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { ValidateIf } from 'class-validator';

/** May be left out, or be null, which generated clients write and which means the same. IsOptional lets null by as it is. */
export const MayBeAbsent = (): PropertyDecorator =>
  applyDecorators(
    Transform(({ value }: { value: unknown }) => value ?? undefined),
    ValidateIf((_, value) => value !== undefined),
  );
