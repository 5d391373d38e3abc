import type { RequestHandler } from 'express';
import type { EdgeWarnings } from '../edge-warnings.js';
import { ProblemError } from '../../errors/errors.js';
import { isProbe } from '../probes.js';

/**
 * Refuses plain HTTP rather than redirecting it: by then a token or password has already travelled in the clear.
 * Orchestrators check the health of a node from beside it, so that is answered.
 */
export function requireHttps(warnings: EdgeWarnings): RequestHandler {
  return (request, _response, next) => {
    if (request.secure || isProbe(request.path)) return next();
    warnings.plainHttpRefused(request);
    next(httpsRequired());
  };
}

export const httpsRequired = () => new ProblemError(403, 'https_required', 'HTTPS is required.');
