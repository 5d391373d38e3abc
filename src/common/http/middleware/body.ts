import type { Request, RequestHandler } from 'express';
import { bodyLimit, bodyTooLarge, declaresTooMuch } from '../server/body-limit.js';
import { ProblemError, ValidationFailedError } from '../../errors/errors.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Reads a JSON object into `request.body`. Compressed bodies are refused, so that none can unfold into memory. */
export function readBody(): RequestHandler {
  return async (request, _response, next) => {
    if (declaresTooMuch(request)) throw bodyTooLarge();
    // Theirs means nothing (RFC 9110 section 9.3.1); Node discards it.
    if (request.method !== 'GET' && request.method !== 'HEAD') request.body = await readObject(request);
    next();
  };
}

/** @returns undefined where there is no body */
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
    // The stream's own iterator would destroy the connection where it is left early, and with it the answer.
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

/** Null, a list or a text is JSON too, but none of our calls takes one. */
function requireObject(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw new ValidationFailedError([{ field: 'body', message: 'Must be a JSON object.' }]);
}

function isJsonInUtf8(contentType = ''): boolean {
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (!charset || /^charset="?utf-?8"?$/.test(charset));
}
