import { SetMetadata } from '@nestjs/common';
import type { RouteLimitName } from './limits.js';

export const LIMIT_METADATA = 'rate-limit';

/** Sets the rate limit of a route, or of every route of a controller. The default is `general`. */
export const Limit = (name: RouteLimitName) => SetMetadata(LIMIT_METADATA, name);
