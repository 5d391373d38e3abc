import type { Response } from 'express';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isHighSurrogate } from '../text/utf16.js';

/** Text of this length is encoded at a time, in a millisecond at most. UTF-16 code units. */
const PIECE_LENGTH = 64 * 1024;
/** For so long pieces are made before the event loop turns. */
const TURN_MS = 5;

/** What JSON.stringify makes of DTOs, in pieces that are short to make. */
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

/** Whether it is better encoded in pieces. */
export function isLarge(value: unknown): boolean {
  return lengthUpTo(PIECE_LENGTH, value) >= PIECE_LENGTH;
}

/** As the response takes them, and with turns of the event loop between them. */
export async function* yieldBetweenPieces(
  pieces: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<string> {
  let began = performance.now();
  for await (const piece of pieces) {
    yield piece;
    if (performance.now() - began < TURN_MS) continue;
    await nextTurn();
    began = performance.now();
  }
}

/** Answers with JSON, in pieces as the client reads them where it is long. A client that leaves ends it. */
export async function sendJson(response: Response, body: object): Promise<void> {
  if (isLarge(body)) await sendPieces(response.type('json'), yieldBetweenPieces(jsonPieces(body)));
  else response.json(body);
}

/** Takes no more pieces than the client reads. A failure on the way breaks the answer off, so that it is seen. */
export async function sendPieces(response: Response, pieces: AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(pieces, { objectMode: false }), response);
  } catch (error) {
    // The client left: nobody is there to be told.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  }
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

/** Code units of all text in a value, and some for all else; no longer counted where they are more than the limit. */
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
