import type { NestExpressApplication } from '@nestjs/platform-express';
import { SwaggerModule } from '@nestjs/swagger';
import type { Application } from 'express';
import { join } from 'node:path';
import { buildAsyncApi } from './asyncapi/asyncapi.js';
import { COMMAND_MODELS } from './asyncapi/commands.js';
import { describeApi, openApiOf } from './openapi/openapi.js';

const LOGIN = join(import.meta.dirname, 'swagger-login.js');

/**
 * Serves /openapi.json, /asyncapi.json and Swagger UI at /docs. Call before the app is initialized, because Nest's
 * handler for unknown routes comes last. The documents are built at the first request.
 */
export function setUpDocs(app: NestExpressApplication): void {
  const described = once(() => describeApi(app, COMMAND_MODELS));
  const openApi = once(() => openApiOf(described()));
  serve(
    app,
    '/openapi.json',
    once(() => JSON.stringify(openApi())),
  );
  serve(
    app,
    '/asyncapi.json',
    once(() => JSON.stringify(buildAsyncApi(described()))),
  );
  redirectToDocs(app);
  serveLogin(app);
  SwaggerModule.setup('docs', app, openApi, {
    raw: false,
    customSiteTitle: 'Parley API',
    customJs: './docs/login.js',
    swaggerOptions: {
      docExpansion: 'list',
      tryItOutEnabled: true,
      displayRequestDuration: true,
      // The validator badge would send the document's URL to a third party.
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

/** The script of the page's login. */
function serveLogin(app: NestExpressApplication): void {
  const express: Application = app.getHttpAdapter().getInstance();
  express.get('/docs/login.js', (_request, response) => {
    response.sendFile(LOGIN);
  });
}

/** Redirects /docs/ to /docs: the page's relative URLs work on one of them only. */
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
