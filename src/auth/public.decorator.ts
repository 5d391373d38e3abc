import { SetMetadata } from '@nestjs/common';

/** Lets a route be called without an access token. */
export const Public = () => SetMetadata('isPublic', true);
