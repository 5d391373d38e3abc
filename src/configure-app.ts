import type { NestExpressApplication } from '@nestjs/platform-express';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { SocketIoAdapter } from './chat/transports/socket-io/socket-io.adapter.js';
import { readBody } from './common/http/middleware/body.js';
import { corsOptions, varyByOrigin } from './common/http/middleware/cors.js';
import { isProbe } from './common/http/probes.js';
import { EdgeWarnings } from './common/http/edge-warnings.js';
import { NotFoundError } from './common/errors/errors.js';
import { requireHttps } from './common/http/middleware/https.js';
import { ProblemFilter } from './common/http/server/problem.filter.js';
import { LoggingInterceptor, requestLog } from './common/logging/request-log.js';
import { traceRequests, TracingInterceptor } from './common/tracing/request-tracing.js';
import { RequestPipe } from './common/validation/request.pipe.js';
import { securityHeaders } from './common/http/middleware/security-headers.js';
import { yieldBetweenRequests } from './common/http/middleware/yield-between-requests.js';
import { setUpDocs } from './docs/docs.setup.js';
import type { Settings } from './env/settings.js';
import { refuseFloods } from './throttling/flood.middleware.js';
import { RateLimits } from './throttling/rate-limits.js';

/** Configures middleware, pipes, interceptors and filters, in the order in which a request passes them. */
export function configureApp(app: NestExpressApplication, settings: Settings, logger: Logger): void {
  app.set('trust proxy', settings.trustProxy);
  app.set('etag', false);
  app.disable('x-powered-by');

  const warnings = app.get(EdgeWarnings);
  if (settings.otlpEndpoint) app.use(traceRequests((path) => isProbe(path) || path === '/metrics'));
  app.use(requestLog(logger));
  app.use(checkProxy(warnings));
  app.use(securityHeaders(settings));
  if (settings.production) app.use(requireHttps(warnings));
  app.use(varyByOrigin);
  app.enableCors(corsOptions(settings.corsOrigins, warnings));
  app.use(yieldBetweenRequests());
  app.use(refuseFloods(app.get(RateLimits)));
  if (!settings.demoModel) app.use('/demo', nothingHere);
  app.use(readBody());

  app.useWebSocketAdapter(new SocketIoAdapter(app, settings));
  app.useGlobalPipes(new RequestPipe());
  app.useGlobalInterceptors(new LoggingInterceptor(logger));
  if (settings.otlpEndpoint) app.useGlobalInterceptors(new TracingInterceptor());
  app.useGlobalFilters(new ProblemFilter());
  setUpDocs(app);
}

const checkProxy =
  (warnings: EdgeWarnings): RequestHandler =>
  (request, _response, next) => {
    warnings.check(request);
    next();
  };

const nothingHere: RequestHandler = (_request, _response, next) => next(new NotFoundError());
