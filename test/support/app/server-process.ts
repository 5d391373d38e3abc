import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { within } from '../clients/event-log.js';
import { LogLines } from './log-lines.js';

const MAIN = join(import.meta.dirname, '../../../dist/server/main.js');
/** Allows for a machine under load. */
const START_TIMEOUT_MS = 30_000;

export interface Exit {
  code: number | null;
  stderr: string;
}

/** The built server (`npm run build`) as a child process. */
export class ServerProcess {
  readonly log = new LogLines();
  /** Resolves when the process has ended. */
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private stderr = '';

  /** @param folder the working directory, which also holds the database unless `DATABASE_URL` is set */
  constructor(folder: string, env: NodeJS.ProcessEnv = {}, nodeOptions: readonly string[] = []) {
    const defaults = { PATH: process.env.PATH, NODE_ENV: 'test', PORT: '0', DATA_DIR: folder };
    this.child = spawn(process.execPath, [...nodeOptions, MAIN], {
      cwd: folder,
      env: { ...defaults, ...env },
    });
    this.child.stderr!.on('data', (data) => (this.stderr += data));
    let rest = '';
    this.child.stdout!.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.log.write(line);
    });
    this.exited = once(this.child, 'close').then(([code]) => ({ code, stderr: this.stderr }));
  }

  /** Resolves with the URL once the server listens. */
  async url(): Promise<string> {
    const listening = this.log
      .until(({ msg }) => msg === 'Parley is listening', START_TIMEOUT_MS)
      .then(({ url }) => url as string);
    const failed = this.exited.then(({ code }) => Promise.reject(new Error(`Exit ${code}: ${this.stderr}`)));
    return Promise.race([listening, failed]);
  }

  /** Resident memory in MB. */
  async residentMegabytes(): Promise<number> {
    const { pid } = this.child;
    // /proc exists on Linux only, and ps is not on every Linux.
    if (process.platform !== 'linux') {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
      return Number(stdout) / 1024;
    }
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
  }

  /** Sends a signal; `exited` resolves with the outcome. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Kills the process if it still runs, and waits for its exit. */
  async close(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await within(this.exited, 'The server did not end');
  }
}
