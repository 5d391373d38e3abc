import type { Express } from 'express';
import { IncomingMessage, type ServerOptions, ServerResponse } from 'node:http';

/**
 * Lets Node create requests and responses with Express's prototypes. Express calls `Object.setPrototypeOf` on each,
 * which deoptimizes every access to their properties, unless the prototype is set already.
 * @see https://github.com/expressjs/express/issues/5998
 * @see https://github.com/expressjs/express/issues/4368
 */
export function expressPrototypes(express: Express): ServerOptions {
  class ExpressRequest extends IncomingMessage {}
  class ExpressResponse<T extends IncomingMessage> extends ServerResponse<T> {}
  express.request = Object.setPrototypeOf(ExpressRequest.prototype, express.request);
  express.response = Object.setPrototypeOf(ExpressResponse.prototype, express.response);
  return { IncomingMessage: ExpressRequest, ServerResponse: ExpressResponse };
}
