import express, { type RequestHandler } from 'express';
import { isUtf8 } from 'node:buffer';
import { ProblemError, ValidationFailedError } from './errors.js';

/** The longest message, 100,000 characters, takes up to 1.2 MB when every character is escaped as `\ud83d\ude00`. */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
/** A conversation as a provider gets it; for the built-in one. */
const CONVERSATION_LIMIT_BYTES = 16 * 1024 * 1024;

/** Reads a JSON object into `request.body`. Compressed bodies are refused, so that none can unfold into memory. */
export function readBody(): RequestHandler {
  const read = express.Router().use(requireJson, readConversation, readObject, requireObject);
  // Theirs means nothing (RFC 9110 section 9.3.1); Node discards it.
  return (request, response, next) =>
    request.method === 'GET' || request.method === 'HEAD' ? next() : read(request, response, next);
}

const readObject = jsonReader(BODY_LIMIT_BYTES);
const readLongObject = jsonReader(CONVERSATION_LIMIT_BYTES);

const readConversation: RequestHandler = (request, response, next) => {
  if (request.path.startsWith('/demo/')) readLongObject(request, response, next);
  else next();
};

function jsonReader(limit: number): RequestHandler {
  const verify = (_request: unknown, _response: unknown, body: Buffer) => {
    if (!isUtf8(body)) throw new ProblemError(400, 'bad_request', 'The body is not UTF-8.');
  };
  return express.json({ limit, inflate: false, strict: false, type: () => true, verify });
}

const requireJson: RequestHandler = (request, _response, next) => {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
  if (!hasBody || isJsonInUtf8(request.headers['content-type'])) next();
  else next(new ProblemError(415, 'unsupported_media_type', 'The body must be application/json in UTF-8.'));
};

function isJsonInUtf8(contentType = ''): boolean {
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  return type === 'application/json' && (!charset || /^charset="?utf-?8"?$/.test(charset));
}

/** Null, a list or a text is JSON too, but none of our calls takes one. */
const requireObject: RequestHandler = (request, _response, next) => {
  const body: unknown = request.body;
  if (body === undefined || (typeof body === 'object' && body !== null && !Array.isArray(body))) next();
  else next(new ValidationFailedError([{ field: 'body', message: 'Must be a JSON object.' }]));
};
