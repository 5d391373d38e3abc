import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import type { Application } from 'express';
import { buildAsyncApi } from './asyncapi/asyncapi.js';
import { buildOpenApi } from './openapi/openapi.js';

/**
 * Serves /openapi.json, /asyncapi.json and Swagger UI at /docs. To be called before the app is initialised, as
 * Nest's handler for unknown routes comes last; the documents are built when they are first asked for.
 */
export function setUpDocs(app: NestExpressApplication): void {
  const openApi = once(() => buildOpenApi(app));
  serve(
    app,
    '/openapi.json',
    once(() => JSON.stringify(openApi())),
  );
  serve(
    app,
    '/asyncapi.json',
    once(() => JSON.stringify(buildAsyncApi(openApi()))),
  );
  redirectToDocs(app);
  SwaggerModule.setup('docs', app, openApi, {
    raw: false,
    customSiteTitle: 'Parley API',
    swaggerOptions: {
      docExpansion: 'list',
      tryItOutEnabled: true,
      displayRequestDuration: true,
      // The badge would send the document's address to somebody else's server.
      validatorUrl: null,
    },
  });
}

function serve(app: NestExpressApplication, path: string, json: () => string): void {
  const express: Application = app.getHttpAdapter().getInstance();
  express.get(path, (_request, response) => {
    response.type('application/json').send(json());
  });
}

/** Relative URLs of the page are right on one of the two paths only. */
function redirectToDocs(app: NestExpressApplication): void {
  const express: Application = app.getHttpAdapter().getInstance();
  express.get('/docs/', (request, response, next) => {
    if (request.path.endsWith('/')) response.redirect('../docs');
    else next();
  });
}

function once<T extends object | string>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
