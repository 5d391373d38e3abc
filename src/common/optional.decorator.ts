import { ValidateIf } from 'class-validator';

/** May be left out, but not be null: unlike class-validator's IsOptional, which lets both by. */
export const MayBeAbsent = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);
