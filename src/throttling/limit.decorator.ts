import { SetMetadata } from '@nestjs/common';
import type { RouteLimitName } from './limits.js';

export const LIMIT_METADATA = 'rate-limit';

/** Which limit a route, or every route of a controller, counts against; `general` without it. */
export const Limit = (name: RouteLimitName) => SetMetadata(LIMIT_METADATA, name);
