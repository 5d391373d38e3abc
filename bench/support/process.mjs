import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** USER_HZ, the unit of CPU time in /proc. */
const TICKS_A_SECOND = 100;

export const pathOf = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));

/** A process started by the bench. */
export class Part {
  #child;
  #asked = new Map();
  #lastId = 0;

  constructor(child) {
    this.#child = child;
    child.on('message', ({ id, result, error }) => {
      const { resolve, reject } = this.#asked.get(id) ?? {};
      this.#asked.delete(id);
      if (error) reject?.(new Error(error));
      else resolve?.(result);
    });
    child.on('exit', (code) => {
      const ended = new Error(`${child.spawnargs.at(-1)} ended: ${code}`);
      for (const { reject } of this.#asked.values()) reject(ended);
    });
  }

  /** @param file a part of the bench; reports its details when ready */
  static async start(file, env = {}, nodeOptions = []) {
    const options = { env: { ...process.env, ...env }, execArgv: nodeOptions };
    const part = new Part(fork(pathOf(file), [], options));
    return Object.assign(part, await part.#answerTo(0));
  }

  ask(command, argument) {
    const id = ++this.#lastId;
    this.#child.send({ id, command, argument });
    return this.#answerTo(id);
  }

  #answerTo(id) {
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }

  get pid() {
    return this.#child.pid;
  }

  /** User and system CPU time since the start. */
  cpuMs() {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
  }

  /** Resident memory after a garbage collection. */
  async residentBytes() {
    await this.ask('collect');
    return this.residentNow();
  }

  residentNow() {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'));
    return Number(kilobytes) * 1024;
  }

  async stop() {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }
}
