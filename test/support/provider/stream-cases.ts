import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AiReader, type Outcome } from './ai-reader.js';
import { noDone, type Piece, PlayedProvider, raw } from './provider.js';

export const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
export const choice = (choice: object) => event({ choices: [{ index: 0, finish_reason: null, ...choice }] });
export const delta = (value: unknown) => choice({ delta: value });
export const text = (content: unknown) => delta({ content });
export const FINISH = choice({ delta: {}, finish_reason: 'stop' });
export const DONE = 'data: [DONE]\n\n';

export type Expected = Partial<Omit<Outcome, 'error'>> & { error?: Partial<Outcome['error']> };
/** Raw bytes of a stream and the expected outcome; without `error`, no error. */
export type Case = [name: string, stream: string | Piece[], expected: Expected];

export const empty = (detail: RegExp) => ({
  code: 'upstream_empty' as const,
  detail: expect.stringMatching(detail) as unknown as string,
});
export const failed = (detail: string) => ({ code: 'upstream_error' as const, detail });

interface Readers {
  played: PlayedProvider;
  reader: AiReader;
  /** With short timeouts. */
  hasty: AiReader;
}

/** Registers hooks that start a played provider and readers of it for the tests of a file. */
export function useReaders(): Readers {
  const readers = {} as Readers;
  beforeAll(async () => {
    const played = await PlayedProvider.start();
    const timeouts = { upstreamIdleTimeoutSeconds: 0.3, upstreamFirstByteTimeoutSeconds: 1 };
    Object.assign(readers, { played, reader: new AiReader(played), hasty: new AiReader(played, timeouts) });
  });
  afterAll(async () => {
    await Promise.all([readers.reader.close(), readers.hasty.close()]);
    await readers.played.stop();
  });
  return readers;
}

/** Registers a test for each case. */
export function check(
  name: string,
  readers: Readers,
  cases: Case[],
  by: 'reader' | 'hasty' = 'reader',
): void {
  describe(name, () => {
    it.each(cases)('%s', async (_, stream, expected) => {
      const pieces = typeof stream === 'string' ? [raw(stream)] : stream;

      // For every request, because some failures are retried.
      readers.played.default = [...pieces, noDone()];
      expect(await readers[by].read()).toMatchObject({ error: null, ...expected });
    });
  });
}
