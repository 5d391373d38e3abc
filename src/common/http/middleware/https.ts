import type { RequestHandler } from 'express';
import type { EdgeWarnings } from '../edge-warnings.js';
import { ProblemError } from '../../errors/errors.js';
import { isProbe } from '../probes.js';

/**
 * Refuses plain HTTP instead of redirecting: a token or password was already sent in the clear. Health probes of an
 * orchestrator are allowed.
 */
export function requireHttps(warnings: EdgeWarnings): RequestHandler {
  return (request, _response, next) => {
    if (request.secure || isProbe(request.path)) return next();
    warnings.plainHttpRefused(request);
    next(httpsRequired());
  };
}

export const httpsRequired = () => new ProblemError(403, 'https_required', 'HTTPS is required.');
