// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- its process opens no connections
import { execFile } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { UnreadableFileError } from './content.errors.js';

export const PDF_LIMITS = { timeoutMs: 10_000 };
/** Bytes of output: 1,000,000 characters of 4 bytes, and room for JSON escapes. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
const MAX_HEAP_MB = 256;

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
 * Extracts the text of a PDF in a process of its own, without the environment's secrets: a hostile document can exhaust
 * its memory or time without affecting the server.
 * @throws {UnreadableFileError} for an encrypted, broken or too large PDF, or one without text
 */
export async function extractPdfText(path: string): Promise<string> {
  const { text, failure } = await runExtraction(path);
  if (text !== undefined) return text;
  throw new UnreadableFileError(REASONS[failure ?? ''] ?? 'The PDF is broken or too complex to read.');
}

function runExtraction(path: string): Promise<Extracted> {
  const script = join(import.meta.dirname, 'pdf.worker.mjs');
  const options = {
    timeout: PDF_LIMITS.timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
    env: {},
  } as const;
  return new Promise((resolve) => {
    const flags = [`--max-old-space-size=${MAX_HEAP_MB}`, '--disallow-code-generation-from-strings'];
    const child = execFile(process.execPath, [...flags, script, path], options, (error, stdout) =>
      resolve(error ? {} : (JSON.parse(stdout) as Extracted)),
    );
    if (child.pid !== undefined) lowerPriority(child.pid);
  });
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // The process has ended already.
  }
}
