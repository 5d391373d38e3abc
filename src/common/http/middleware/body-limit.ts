import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/errors.js';

/** The longest message, 100,000 characters, takes up to 1.2 MB with every character escaped (`\\ud83d\\ude00`). */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
/** For requests to the built-in model: a whole conversation. */
const CONVERSATION_LIMIT_BYTES = 16 * 1024 * 1024;

/** Maximum size of a request's body, in bytes. */
export function bodyLimit({ url = '' }: IncomingMessage): number {
  return url.startsWith('/demo/') ? CONVERSATION_LIMIT_BYTES : BODY_LIMIT_BYTES;
}

/** Whether the `Content-Length` exceeds the limit, before the body is read. */
export function declaresTooMuch(request: IncomingMessage): boolean {
  return Number(request.headers['content-length']) > bodyLimit(request);
}

export const bodyTooLarge = () => new ProblemError(413, 'body_too_large', 'The body is too large.');
