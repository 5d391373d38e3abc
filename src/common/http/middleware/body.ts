import type { Request, RequestHandler } from 'express';
import { bodyLimit, bodyTooLarge, declaresTooMuch, isUpload } from './body-limit.js';
import { invalidField, ProblemError } from '../../errors/errors.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Parses a JSON object into `request.body`. Compressed bodies are refused, because they could expand in memory. */
export function readBody(): RequestHandler {
  return async (request, _response, next) => {
    if (declaresTooMuch(request)) throw bodyTooLarge();
    if (isUpload(request)) return next();
    // A body of GET or HEAD has no meaning (RFC 9110 section 9.3.1); Node discards it.
    if (request.method !== 'GET' && request.method !== 'HEAD') request.body = await readObject(request);
    next();
  };
}

/** @returns undefined without a body */
async function readObject(request: Request): Promise<object | undefined> {
  const { headers } = request;
  if (headers['transfer-encoding'] === undefined && !Number(headers['content-length'])) return undefined;
  const isPlain = (headers['content-encoding'] ?? 'identity').toLowerCase() === 'identity';
  if (!isPlain || !isJsonInUtf8(headers['content-type'])) {
    throw new ProblemError(415, 'unsupported_media_type', 'The body must be application/json in UTF-8.');
  }
  const bytes = await readBytes(request);
  return bytes.length === 0 ? undefined : requireObject(parse(bytes));
}

async function readBytes(request: Request): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // By default, leaving the loop early destroys the connection before the response is sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      length += (chunk as Buffer).length;
      if (length > bodyLimit(request)) throw bodyTooLarge();
      chunks.push(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof ProblemError ? error : new ProblemError(400, 'bad_request', 'The body broke off.');
  }
  return Buffer.concat(chunks);
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    const detail = 'The request could not be read; is the body well-formed JSON in UTF-8?';
    throw new ProblemError(400, 'bad_request', detail);
  }
}

/** No operation takes null, an array or a string. */
function requireObject(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw invalidField('body', 'Must be a JSON object.');
}

function isJsonInUtf8(contentType = ''): boolean {
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (!charset || /^charset="?utf-?8"?$/.test(charset));
}
