import type { IncomingMessage } from 'node:http';
import { ProblemError } from '../../errors/errors.js';

/** The longest message, 100,000 characters, takes up to 1.2 MB when every character is escaped as `\ud83d\ude00`. */
const BODY_LIMIT_BYTES = 2 * 1024 * 1024;
/** A conversation as a provider gets it; for the built-in one. */
const CONVERSATION_LIMIT_BYTES = 16 * 1024 * 1024;

/** How many bytes a request's body may have. */
export function bodyLimit({ url = '' }: IncomingMessage): number {
  return url.startsWith('/demo/') ? CONVERSATION_LIMIT_BYTES : BODY_LIMIT_BYTES;
}

/** Whether a body is too large by its `Content-Length`, which tells before any of it is read. */
export function declaresTooMuch(request: IncomingMessage): boolean {
  return Number(request.headers['content-length']) > bodyLimit(request);
}

export const bodyTooLarge = () => new ProblemError(413, 'body_too_large', 'The body is too large.');
