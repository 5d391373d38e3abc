import { SetMetadata } from '@nestjs/common';

/** For the few routes that need no access token. */
export const Public = () => SetMetadata('isPublic', true);
