// eslint-disable-next-line @typescript-eslint/no-restricted-imports -- its process opens no connections
import { execFile } from 'node:child_process';
import { setPriority } from 'node:os';
import { join } from 'node:path';

/** Limit of V8's heap. */
const MAX_HEAP_MB = 256;

export interface ScriptLimits {
  timeoutMs: number;
  maxOutputBytes: number;
  /** Of `os.constants.priority`; unset keeps the server's. */
  priority?: number;
}

/**
 * Runs a script of this folder in a process of its own, without the environment's secrets: hostile input can crash it or
 * exhaust its memory or time without affecting the server.
 * @param input of its standard input
 * @returns its output, or null if it failed, took too long or printed too much
 */
export function runIsolated(
  script: string,
  args: string[],
  { timeoutMs, maxOutputBytes, priority }: ScriptLimits,
  input?: Buffer,
): Promise<Buffer | null> {
  const path = join(import.meta.dirname, script);
  const flags = [`--max-old-space-size=${MAX_HEAP_MB}`, '--disallow-code-generation-from-strings'];
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: maxOutputBytes,
    encoding: 'buffer',
    env: {},
  } as const;
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [...flags, path, ...args], options, (error, output) =>
      resolve(error ? null : output),
    );
    if (child.pid !== undefined && priority !== undefined) lowerPriority(child.pid, priority);
    // A script that ends before it has read all breaks the pipe.
    child.stdin!.on('error', () => undefined).end(input);
  });
}

function lowerPriority(pid: number, priority: number): void {
  try {
    setPriority(pid, priority);
  } catch {
    // The process has ended already.
  }
}
