import { constants } from 'node:os';
import { UnreadableFileError } from './content.errors.js';
import { runIsolated } from './isolated-script.js';

export const PDF_LIMITS = {
  timeoutMs: 10_000,
  /** For 1,000,000 characters of 4 bytes, and JSON escapes. */
  maxOutputBytes: 8 * 1024 * 1024,
  priority: constants.priority.PRIORITY_BELOW_NORMAL,
};

const REASONS: Record<string, string> = {
  encrypted: 'The PDF is encrypted.',
  pages: 'The PDF has more than 2,000 pages.',
  length: 'The PDF has more than 1,000,000 characters of text.',
  empty: 'The PDF has no text.',
};

interface Extracted {
  text?: string;
  failure?: string;
}

/**
 * Extracts the text of a PDF.
 * @throws {UnreadableFileError} for an encrypted, broken or too large PDF, or one without text
 */
export async function extractPdfText(path: string): Promise<string> {
  const output = await runIsolated('pdf.worker.mjs', [path], PDF_LIMITS);
  const { text, failure = '' } = output ? (JSON.parse(output.toString()) as Extracted) : {};
  if (text !== undefined) return text;
  throw new UnreadableFileError(REASONS[failure] ?? 'The PDF is broken or too complex to read.');
}
