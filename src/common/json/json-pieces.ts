import type { Response } from 'express';
import { setImmediate } from 'node:timers/promises';
import { isHighSurrogate } from '../text/utf16.js';

/** Maximum text encoded at once, to keep turns of the event loop short. UTF-16 code units. */
const PIECE_LENGTH = 64 * 1024;
/** Maximum time between two turns of the event loop. */
const TURN_MS = 5;

/** Encodes a DTO like `JSON.stringify`, in small pieces. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (!isLarge(value)) yield JSON.stringify(value);
  else if (typeof value === 'string') yield* textPieces(value);
  else {
    const isList = Array.isArray(value);
    let before = isList ? '[' : '{';
    for (const [name, member] of Object.entries(value as object)) {
      if (member === undefined) continue;
      yield isList ? before : `${before}${JSON.stringify(name)}:`;
      yield* jsonPieces(member);
      before = ',';
    }
    yield isList ? ']' : '}';
  }
}

/** Whether a value is large enough to be encoded in pieces. */
export function isLarge(value: unknown): boolean {
  return lengthUpTo(PIECE_LENGTH, value) >= PIECE_LENGTH;
}

/** Yields to the event loop between pieces. */
export async function* yieldBetweenPieces(
  pieces: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  let turnStartedAt = performance.now();
  for await (const piece of pieces) {
    yield piece;
    if (performance.now() - turnStartedAt < TURN_MS) continue;
    await setImmediate();
    turnStartedAt = performance.now();
  }
}

/** Sends JSON, in pieces if it is large. Stops when the client disconnects. */
export async function sendJson(response: Response, body: object): Promise<void> {
  if (isLarge(body)) await sendPieces(response.type('json'), yieldBetweenPieces(jsonPieces(body)));
  else response.json(body);
}

/** Sends pieces as the body. An error in the middle breaks the response off, so that the client notices. */
export async function sendPieces(response: Response, pieces: AsyncIterable<string>): Promise<void> {
  try {
    if (await writePieces(response, pieces)) response.end();
  } catch (error) {
    response.destroy();
    throw error;
  }
}

/**
 * Writes pieces as fast as the client reads. A loop, because `pipeline` adds seven `close` listeners to a response.
 * @returns false if the response ended or the client disconnected before the last piece
 */
export async function writePieces(response: Response, pieces: AsyncIterable<string>): Promise<boolean> {
  for await (const piece of pieces) {
    if (hasEnded(response)) return false;
    if (!response.write(piece)) await drained(response);
  }
  return !hasEnded(response);
}

function hasEnded(response: Response): boolean {
  return response.destroyed || response.writableEnded;
}

/** Resolves once more may be written, or the response has closed. */
function drained(response: Response): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.on('drain', settle).on('close', settle);
  });
}

function* textPieces(text: string): Generator<string> {
  yield '"';
  for (let start = 0; start < text.length;) {
    const cut = start + PIECE_LENGTH;
    const end = isHighSurrogate(text.charCodeAt(cut - 1)) ? cut - 1 : cut;
    yield JSON.stringify(text.slice(start, end)).slice(1, -1);
    start = end;
  }
  yield '"';
}

/** Estimates the length of a value as JSON; stops counting at the limit. */
function lengthUpTo(limit: number, value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let length = 0;
  for (const member of Object.values(value)) {
    length += lengthUpTo(limit - length, member);
    if (length >= limit) break;
  }
  return length;
}
