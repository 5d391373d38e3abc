import { setImmediate } from 'node:timers/promises';
import { isHighSurrogate } from '../text/utf16.js';

/** Maximum text encoded at once, to keep ticks of the event loop short. UTF-16 code units. */
const PIECE_LENGTH = 64 * 1024;
/** Maximum time between two ticks of the event loop. */
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
