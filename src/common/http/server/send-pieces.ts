import type { Response } from 'express';
import { isLarge, jsonPieces, yieldBetweenPieces } from '../../json/json-pieces.js';

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
