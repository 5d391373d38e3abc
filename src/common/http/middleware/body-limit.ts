import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/errors.js';

/** The longest message, 100,000 characters, takes up to 1.2 MB with every character escaped (`\\ud83d\\ude00`). */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
/** For requests to the built-in model: a whole conversation. */
const CONVERSATION_LIMIT_BYTES = 16 * 1024 * 1024;

export const MAX_FILE_BYTES = 20 * 1024 * 1024;
/** With the frame of multipart/form-data, which holds the name. */
const UPLOAD_LIMIT_BYTES = MAX_FILE_BYTES + 256 * 1024;

/** Whether a request uploads a file, whose body is read by its handler. */
export function isUpload({ method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && /^\/files\/?(\?|$)/i.test(url);
}

/** Maximum size of a request's body, in bytes. */
export function bodyLimit(request: IncomingMessage): number {
  const { url = '' } = request;
  if (isUpload(request)) return UPLOAD_LIMIT_BYTES;
  return url.startsWith('/demo/') ? CONVERSATION_LIMIT_BYTES : BODY_LIMIT_BYTES;
}

/** Whether the `Content-Length` exceeds the limit, before the body is read. */
export function declaresTooMuch(request: IncomingMessage): boolean {
  return Number(request.headers['content-length']) > bodyLimit(request);
}

export const bodyTooLarge = () => new ProblemError(413, 'body_too_large', 'The body is too large.');
